package sender_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/seal"
)

func TestOpenTargetUsesTheSecretsThatAreValid(t *testing.T) {
	t.Parallel()
	box, err := seal.New(make([]byte, 32), "webhook secrets")
	require.NoError(t, err)
	address, expires := "https://hooks.example.com/convo", now.Add(time.Hour)
	row := db.Integration{WorkspaceID: uuid.New(), ID: uuid.New(), URL: &address, PreviousSecretExpiresAt: &expires}
	bound := sender.SecretContext(row.WorkspaceID, row.ID)
	row.Secret, row.PreviousSecret = box.Seal("wh_new", bound), box.Seal("wh_old", bound)

	both, err := sender.OpenTarget(box, row, now)
	require.NoError(t, err)
	require.Equal(t, address, both.URL.String())
	require.Equal(t, []string{"wh_new", "wh_old"}, both.Secrets)

	one, err := sender.OpenTarget(box, row, expires)
	require.NoError(t, err)
	require.Equal(t, []string{"wh_new"}, one.Secrets, "the previous secret has expired")

	moved := row
	moved.ID = uuid.New()
	_, err = sender.OpenTarget(box, moved, now)
	require.Error(t, err, "a secret copied to another webhook cannot be opened")
	require.NotContains(t, err.Error(), "wh_")

	moved = row
	moved.URL = nil
	_, err = sender.OpenTarget(box, moved, now)
	require.ErrorContains(t, err, "has no URL")
}
