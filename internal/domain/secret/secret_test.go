package secret_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/modelprovider"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/secret"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/testing/seed"
)

var oldKey, newKey = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)

// vault is a database with the secrets of webhooks.
type vault struct{ *seed.World }

func newVault(t *testing.T) vault {
	t.Helper()
	return vault{seed.New(t)}
}

func box(t *testing.T, key []byte, older ...[]byte) *seal.Box {
	t.Helper()
	b, err := seal.New(key, "test", older...)
	require.NoError(t, err)
	return b
}

func (v vault) store(t *testing.T, key []byte, older ...[]byte) *secret.Store {
	t.Helper()
	return &secret.Store{DB: v.DB, Box: box(t, key, older...)}
}

// webhook inserts a webhook with secrets that are encrypted by in. An empty previous
// secret stands for none.
func (v vault) webhook(t *testing.T, space uuid.UUID, in *seal.Box, current, previous string) uuid.UUID {
	t.Helper()
	hook, now := v.IDs.New()
	place := sender.SecretContext(space, hook)
	var sealed []byte
	if previous != "" {
		sealed = in.Seal(previous, place)
	}
	v.Exec(t, `INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, previous_secret, previous_secret_expires_at, created_at, updated_at)
		VALUES ($1, $2, 'WEBHOOK', 'https://hooks.example.com', '{lead.created}', 'CONNECTED', $3, $4, $5, $6, $6)`,
		space, hook, in.Seal(current, place), sealed, now.Add(time.Hour), now)
	return hook
}

// requireSecrets requires that a box opens the secrets of a webhook.
func (v vault) requireSecrets(t *testing.T, space, hook uuid.UUID, in *seal.Box, current, previous string) {
	t.Helper()
	var first, second []byte
	v.Scan(t, []any{&first, &second}, "SELECT secret, previous_secret FROM integrations WHERE id = $1", hook)
	place := sender.SecretContext(space, hook)
	opened, err := in.Open(first, place)
	require.NoError(t, err)
	require.Equal(t, current, opened)
	if previous == "" {
		require.Nil(t, second)
		return
	}
	opened, err = in.Open(second, place)
	require.NoError(t, err)
	require.Equal(t, previous, opened)
}

func TestCheckAcceptsOnlyTheKeysOfTheDatabase(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()), "a new database accepts any key")
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	require.NoError(t, v.store(t, newKey, oldKey).Check(t.Context()), "the old key opens the check value")
	require.ErrorIs(t, v.store(t, newKey).Check(t.Context()), secret.ErrWrongKey)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()), "a wrong key changes nothing")
}

// TestRotateEncryptsEveryBatch rotates more secrets than fit into two batches, of two
// workspaces.
func TestRotateEncryptsEveryBatch(t *testing.T) {
	t.Parallel()
	const webhooks = 2*200 + 1 // see batchSize
	v, old := newVault(t), box(t, oldKey)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	hooks := map[uuid.UUID]uuid.UUID{} // their workspaces
	for n := range webhooks {
		space := []uuid.UUID{v.Ours, v.Theirs}[n%2]
		hooks[v.webhook(t, space, old, "current", "previous")] = space
	}
	plain := v.webhook(t, v.Ours, old, "current", "")
	done, err := v.store(t, newKey, oldKey).Rotate(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{Webhooks: secret.Count{Resealed: webhooks + 1}}, done)
	fresh := box(t, newKey)
	for hook, space := range hooks {
		v.requireSecrets(t, space, hook, fresh, "current", "previous")
	}
	v.requireSecrets(t, v.Ours, plain, fresh, "current", "")
	require.NoError(t, v.store(t, newKey).Check(t.Context()))
	require.ErrorIs(t, v.store(t, oldKey).Check(t.Context()), secret.ErrWrongKey, "the old key is no longer needed")
}

func TestRotateReportsLostSecretsAndKeepsThem(t *testing.T) {
	t.Parallel()
	v, old, lostBox := newVault(t), box(t, oldKey), box(t, bytes.Repeat([]byte{3}, 32))
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	kept := v.webhook(t, v.Ours, old, "kept", "")
	lost := v.webhook(t, v.Theirs, lostBox, "lost", "lost too")
	half := v.webhook(t, v.Ours, old, "current", "")
	v.Exec(t, "UPDATE integrations SET previous_secret = $1 WHERE id = $2", lostBox.Seal("lost", sender.SecretContext(v.Ours, half)), half)
	done, err := v.store(t, newKey, oldKey).Rotate(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{Webhooks: secret.Count{Resealed: 2, Lost: 1}}, done)
	v.requireSecrets(t, v.Ours, kept, box(t, newKey), "kept", "")
	v.requireSecrets(t, v.Ours, half, box(t, newKey), "current", "")
	v.requireSecrets(t, v.Theirs, lost, lostBox, "lost", "lost too")
}

func TestRotateWithAWrongKeyNeedsConsent(t *testing.T) {
	t.Parallel()
	v, old := newVault(t), box(t, oldKey)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	hook := v.webhook(t, v.Ours, old, "current", "previous")
	done, err := v.store(t, newKey).Rotate(t.Context(), false)
	require.ErrorIs(t, err, secret.ErrWrongKey)
	require.Zero(t, done)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()), "nothing has changed")
	done, err = v.store(t, newKey).Rotate(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{Webhooks: secret.Count{Lost: 1}}, done)
	v.requireSecrets(t, v.Ours, hook, old, "current", "previous")
	require.NoError(t, v.store(t, newKey).Check(t.Context()), "servers start with the new key")
}

// TestSecretsOpenOnlyForTheirWebhook copies a secret into another row.
func TestSecretsOpenOnlyForTheirWebhook(t *testing.T) {
	t.Parallel()
	v, old := newVault(t), box(t, oldKey)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	from, to := v.webhook(t, v.Theirs, old, "theirs", ""), v.webhook(t, v.Ours, old, "ours", "")
	v.Exec(t, "UPDATE integrations SET secret = (SELECT secret FROM integrations WHERE id = $1) WHERE id = $2", from, to)
	done, err := v.store(t, newKey, oldKey).Rotate(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{Webhooks: secret.Count{Resealed: 1, Lost: 1}}, done)
}

// TestRotateEncryptsCredentialsOfChannels rotates more channels than fit into a batch, one of
// them with credentials that no key opens.
func TestRotateEncryptsCredentialsOfChannels(t *testing.T) {
	t.Parallel()
	const rows = 200 + 1 // see batchSize
	v, old, lostBox := newVault(t), box(t, oldKey), box(t, bytes.Repeat([]byte{3}, 32))
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	agent := v.Agent(t, v.Ours, "Agent")
	set := func(in *seal.Box) uuid.UUID {
		id := v.Channel(t, v.Ours, agent, "TELEGRAM")
		v.Exec(t, "UPDATE channels SET credentials = $1 WHERE id = $2", in.Seal(`{"botToken":"secret"}`, channel.CredentialsContext(v.Ours, id)), id)
		return id
	}
	v.Channel(t, v.Ours, agent, "WEBSITE") // without credentials
	var ids []uuid.UUID
	for range rows {
		ids = append(ids, set(old))
	}
	set(lostBox)
	done, err := v.store(t, newKey, oldKey).Rotate(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{Channels: secret.Count{Resealed: rows, Lost: 1}}, done)
	for _, id := range ids {
		var sealed []byte
		v.Scan(t, []any{&sealed}, "SELECT credentials FROM channels WHERE id = $1", id)
		opened, err := box(t, newKey).Open(sealed, channel.CredentialsContext(v.Ours, id))
		require.NoError(t, err)
		require.JSONEq(t, `{"botToken":"secret"}`, opened)
	}
}

// TestRotateEncryptsKeysOfModelProviders rotates the keys of two workspaces, one of which is
// lost, and one that is not set.
func TestRotateEncryptsKeysOfModelProviders(t *testing.T) {
	t.Parallel()
	v, old := newVault(t), box(t, oldKey)
	require.NoError(t, v.store(t, oldKey).Check(t.Context()))
	set := func(space uuid.UUID, name api.ModelProviderName, sealed []byte) {
		v.Exec(t, "INSERT INTO model_providers (workspace_id, provider, api_key, created_at, updated_at) VALUES ($1, $2, $3, now(), now())", space, name, sealed)
	}
	set(v.Ours, api.ModelProviderNameOpenai, old.Seal("ours", modelprovider.KeyContext(v.Ours, api.ModelProviderNameOpenai)))
	set(v.Ours, api.ModelProviderNameAnthropic, nil)
	set(v.Theirs, api.ModelProviderNameOpenai, old.Seal("ours", modelprovider.KeyContext(v.Ours, api.ModelProviderNameOpenai)))
	done, err := v.store(t, newKey, oldKey).Rotate(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{ModelProviders: secret.Count{Resealed: 1, Lost: 1}}, done, "a key opens only for its workspace and provider")
	var sealed []byte
	v.Scan(t, []any{&sealed}, "SELECT api_key FROM model_providers WHERE workspace_id = $1 AND provider = 'openai'", v.Ours)
	opened, err := box(t, newKey).Open(sealed, modelprovider.KeyContext(v.Ours, api.ModelProviderNameOpenai))
	require.NoError(t, err)
	require.Equal(t, "ours", opened)
}
