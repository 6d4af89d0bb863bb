package dispatcher

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const size = 1000

// fill takes as much as it can for a holder.
func (s *shares) fill(of holder) (taken int) {
	for s.take(of) {
		taken++
	}
	return taken
}

func TestAWorkspaceAloneGetsHalf(t *testing.T) {
	t.Parallel()
	s, one := newShares(size), holder{uuid.New(), "slow.example"}
	require.Equal(t, size/2, s.fill(one))
	for range size / 2 {
		require.True(t, s.release(one), "it was refused more")
	}
	s.forgetRefusals()
	require.Equal(t, newShares(size), s, "nothing is kept of those without deliveries")
}

func TestAWorkspaceWithManyHostsGetsHalf(t *testing.T) {
	t.Parallel()
	s, space := newShares(size), uuid.New()
	total := 0
	for i := range 100 {
		total += s.fill(holder{space, fmt.Sprintf("host-%d.example", i)})
	}
	require.Equal(t, size/2, total)
}

// TestOthersGetCapacityNextToThoseWhoTakeAllTheyCan lets some workspaces take turns until
// none gets more, and then another one come.
func TestOthersGetCapacityNextToThoseWhoTakeAllTheyCan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workspaces int
		oneHost    bool
		want       int // that the newcomer gets at least
	}{
		"one, the same host":     {1, true, 120},
		"one, another host":      {1, false, 250},
		"three, the same host":   {3, true, 45},
		"three, another host":    {3, false, 190},
		"thirty, the same host":  {30, true, 4},
		"thirty, another host":   {30, false, 160},
		"hundred, the same host": {100, true, 2},
		"hundred, another host":  {100, false, 160},
	} {
		s := newShares(size)
		greedy := make([]holder, c.workspaces)
		for i := range greedy {
			greedy[i] = holder{uuid.New(), "slow.example"}
		}
		for taken := true; taken; {
			taken = false
			for _, one := range greedy {
				taken = s.take(one) || taken
			}
		}
		newcomer := holder{uuid.New(), "fast.example"}
		if c.oneHost {
			newcomer.host = "slow.example"
		}
		require.GreaterOrEqual(t, s.fill(newcomer), c.want, name)
	}
}

func TestAHostOfManyWorkspacesGetsTwoThirds(t *testing.T) {
	t.Parallel()
	s, total := newShares(size), 0
	for range size {
		total += s.fill(holder{uuid.New(), "slow.example"})
	}
	require.LessOrEqual(t, total, size*2/3+1)
	require.Positive(t, s.fill(holder{uuid.New(), "fast.example"}))
}

// TestSomethingIsAlwaysFree makes random claims and releases: what is held and what is
// free always add up, and a newcomer always gets something.
func TestSomethingIsAlwaysFree(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	s := newShares(size)
	spaces := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	var held []holder
	for range 20_000 {
		of := holder{spaces[random.IntN(len(spaces))], strconv.Itoa(random.IntN(3))}
		switch {
		case random.IntN(4) > 0:
			if s.take(of) {
				held = append(held, of)
			}
		case len(held) > 0:
			i := random.IntN(len(held))
			s.release(held[i])
			held[i], held = held[len(held)-1], held[:len(held)-1]
		}
		require.Equal(t, size, s.free+len(held))
		newcomer := holder{uuid.New(), "new.example"}
		require.True(t, s.take(newcomer))
		s.release(newcomer)
	}
}
