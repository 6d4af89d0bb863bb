package webhook

import (
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/seal"
)

const (
	// concurrency is how many posts to one endpoint are under way at once.
	concurrency = 16
	// depth is how many deliveries to one endpoint are taken ahead of time, at most.
	depth = 128
	// failingDepth is for one whose latest attempts failed.
	failingDepth = 4
	// ahead is for how long an endpoint has work, at its pace. It must be less than
	// leaseMargin: what waits longer is given back untried.
	ahead = 2 * time.Second
	// smoothing is what the latest post weighs in the pace.
	smoothing = 0.2
)

// lane is the way to one endpoint. What waits or goes on there concerns no other.
// The dispatcher's lock guards it.
type lane struct {
	target   Target
	failures int32
	pace     time.Duration // of one post, smoothed; 0 before the first
	waiting  []job
	running  int
	broken   bool // its secret or address cannot be read
}

// job is one attempt to make. After expires another worker may take it.
type job struct {
	row     db.SystemWebhookDeliveryClaimRow
	expires time.Time
}

func (j job) body() []byte {
	const around = 256 // bytes around the data
	return event.AppendJSON(make([]byte, 0, len(j.row.Data)+around), db.Event{
		WorkspaceID: j.row.WorkspaceID, Sequence: j.row.Sequence, ID: j.row.EventID, Type: j.row.EventType,
		Data: j.row.Data, OccurredAt: j.row.OccurredAt,
	})
}

// room is how many more deliveries the lane takes.
func (l *lane) room() int {
	limit := 2 * concurrency
	switch {
	case l.failures >= breakAt:
		limit = 1
	case l.failures > 0:
		limit = failingDepth
	case l.pace > 0:
		limit = concurrency + min(depth, int(concurrency*ahead/l.pace))
	}
	return max(0, limit-len(l.waiting)-l.running)
}

func (l *lane) took(d time.Duration) {
	if l.pace == 0 {
		l.pace = d
	}
	l.pace = max(1, l.pace+time.Duration(smoothing*float64(d-l.pace)))
}

// NewTarget opens what is stored of a webhook.
func NewTarget(box *seal.Box, row db.Integration, now time.Time) (Target, error) {
	if row.URL == nil {
		return Target{}, fmt.Errorf("webhook %s has no address", row.ID)
	}
	address, err := url.Parse(*row.URL)
	if err != nil {
		return Target{}, fmt.Errorf("webhook %s: %w", row.ID, err)
	}
	sealed := [][]byte{row.Secret}
	if row.PreviousSecretExpiresAt != nil && row.PreviousSecretExpiresAt.After(now) {
		sealed = append(sealed, row.PreviousSecret)
	}
	target := Target{URL: address}
	for _, one := range sealed {
		secret, err := box.Open(one, Place(row.WorkspaceID, row.ID))
		if err != nil {
			return Target{}, fmt.Errorf("secret of webhook %s: %w", row.ID, err)
		}
		target.Secrets = append(target.Secrets, secret)
	}
	return target, nil
}

// Place is where a webhook's secrets are sealed for.
func Place(workspaceID, integrationID uuid.UUID) []byte {
	return append(workspaceID[:], integrationID[:]...)
}
