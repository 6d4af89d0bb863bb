package dispatcher

import "github.com/google/uuid"

// holder says for whom a claimed delivery counts.
type holder struct {
	workspace uuid.UUID
	host      string // of the endpoint, without the port
}

// shares divide the deliveries in memory between workspaces and between the hosts of
// endpoints. None may hold more than what is free, so that there is always something
// free for others: one workspace gets up to a half, two a third each, n of them 1/(n+1)
// each (dynamic thresholds: Choudhury and Hahne, 1998). A host may have up to twice as
// much as is free, and a workspace no more of that than it leaves to others on the same
// host.
type shares struct {
	free       int
	workspaces map[uuid.UUID]int
	hosts      map[string]int
	holders    map[holder]int
	refused    refusals
}

// refusals say who was refused more since the last deal.
type refusals struct {
	workspaces map[uuid.UUID]bool
	hosts      map[string]bool
}

func newShares(size int) *shares {
	s := &shares{free: size, workspaces: map[uuid.UUID]int{}, hosts: map[string]int{}, holders: map[holder]int{}}
	s.forgetRefusals()
	return s
}

func (s *shares) forgetRefusals() {
	s.refused = refusals{workspaces: map[uuid.UUID]bool{}, hosts: map[string]bool{}}
}

// take counts one more delivery, unless a share is used up.
func (s *shares) take(of holder) bool {
	if s.workspaces[of.workspace] >= s.free {
		s.refused.workspaces[of.workspace] = true
		return false
	}
	if s.holders[of] >= 2*s.free-s.hosts[of.host] {
		s.refused.hosts[of.host] = true
		return false
	}
	s.count(of, 1)
	return true
}

// release counts one delivery less. It reports whether its workspace or host was refused
// more, and may have that now.
func (s *shares) release(of holder) (awaited bool) {
	s.count(of, -1)
	return s.refused.workspaces[of.workspace] || s.refused.hosts[of.host]
}

func (s *shares) count(of holder, n int) {
	s.free -= n
	add(s.workspaces, of.workspace, n)
	add(s.hosts, of.host, n)
	add(s.holders, of, n)
}

// add changes a count, and forgets it when it is 0.
func add[K comparable](counts map[K]int, key K, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}
