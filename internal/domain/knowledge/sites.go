package knowledge

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/platform/crawl"
)

const (
	// maxSites is how many sites are kept, and siteAge for how long.
	maxSites = 64
	siteAge  = time.Minute
)

// sites keeps the sites of crawls between their turns, so that robots.txt is not requested
// again each time. The zero value is empty.
type sites struct {
	mu   sync.Mutex
	kept map[uuid.UUID]keptSite // by job
}

type keptSite struct {
	*crawl.Site

	since time.Time
}

// keep keeps the site of a job, unless many are kept. Its connections are closed.
func (s *sites) keep(jobID uuid.UUID, site *crawl.Site, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, one := range s.kept { // of crawls that another process continues, or that were canceled
		if now.Sub(one.since) > siteAge {
			delete(s.kept, other)
		}
	}
	if len(s.kept) >= maxSites {
		return
	}
	if s.kept == nil {
		s.kept = map[uuid.UUID]keptSite{}
	}
	s.kept[jobID] = keptSite{site, now}
}

// take returns the site of a job, or nil.
func (s *sites) take(jobID uuid.UUID) *crawl.Site {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer delete(s.kept, jobID)
	return s.kept[jobID].Site
}
