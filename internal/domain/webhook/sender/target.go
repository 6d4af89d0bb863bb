package sender

import (
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/seal"
)

// Target is where to send, and the secrets to sign with.
type Target struct {
	URL     *url.URL
	Secrets []string
}

// OpenTarget parses a webhook's URL and decrypts the secrets that are valid at now: the
// current one, and the previous one until it expires.
func OpenTarget(box *seal.Box, row db.Integration, now time.Time) (Target, error) {
	if row.URL == nil {
		return Target{}, fmt.Errorf("webhook %s has no URL", row.ID)
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
		secret, err := box.Open(one, SecretContext(row.WorkspaceID, row.ID))
		if err != nil {
			return Target{}, fmt.Errorf("secret of webhook %s: %w", row.ID, err)
		}
		target.Secrets = append(target.Secrets, secret)
	}
	return target, nil
}

// SecretContext is what a webhook's secrets are sealed with, so that a secret copied to
// another row cannot be opened there.
func SecretContext(workspaceID, integrationID uuid.UUID) []byte {
	return append(workspaceID[:], integrationID[:]...)
}
