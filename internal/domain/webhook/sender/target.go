package sender

import (
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/seal"
)

// Unreadable describes a webhook whose secret cannot be decrypted, for its owner.
const Unreadable = "The signing secret can't be decrypted. Rotate it."

// Target is where to send, and the secrets to sign with.
type Target struct {
	URL     *url.URL
	Secrets []string
}

// OpenTarget parses a webhook's URL and decrypts the secrets that are valid at now: the
// current one, and the previous one until it expires. It fails with seal.ErrBroken if the
// current secret cannot be decrypted.
func OpenTarget(box *seal.Box, row db.Integration, now time.Time) (Target, error) {
	if row.URL == nil {
		return Target{}, fmt.Errorf("webhook %s has no URL", row.ID)
	}
	address, err := url.Parse(*row.URL)
	if err != nil {
		return Target{}, fmt.Errorf("webhook %s: %w", row.ID, err)
	}
	place := SecretContext(row.WorkspaceID, row.ID)
	secret, err := box.Open(row.Secret, place)
	if err != nil {
		return Target{}, fmt.Errorf("secret of webhook %s: %w", row.ID, err)
	}
	target := Target{URL: address, Secrets: []string{secret}}
	if row.PreviousSecretExpiresAt != nil && row.PreviousSecretExpiresAt.After(now) {
		// Without a previous secret that cannot be opened, the current one still signs.
		if previous, err := box.Open(row.PreviousSecret, place); err == nil {
			target.Secrets = append(target.Secrets, previous)
		}
	}
	return target, nil
}

// SecretContext is what a webhook's secrets are sealed with, so that a secret copied to
// another row cannot be opened there.
func SecretContext(workspaceID, integrationID uuid.UUID) []byte {
	return append(workspaceID[:], integrationID[:]...)
}
