package integration_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestAWebhookURLMustBeReachableFromOutside(t *testing.T) {
	t.Parallel()
	f := setup(t)
	existing, _ := f.webhook(t, address)
	for url, reason := range map[string]string{
		"":                              "must be an absolute URL",
		"/hooks":                        "must be an absolute URL",
		"https://":                      "must be an absolute URL",
		"http://hooks.example.com":      "must be https",
		"ftp://hooks.example.com":       "must be https",
		"https://10.0.0.1/hook":         "must not be a private or reserved address",
		"https://169.254.169.254/":      "must not be a private or reserved address",
		"https://[::ffff:10.0.0.1]/":    "must not be a private or reserved address",
		"https://u:p@hooks.example.com": "must not hold a user or password",
		"https://hooks.example.com#a":   "must not have a fragment",
		"https://hooks.example.com:0/":  "has no such port",
		"https://93.184.216.34:65536/":  "has no such port",
	} {
		var refused *integration.InvalidURLError
		_, _, err := f.integrations.CreateWebhook(t.Context(), f.DB, f.Ours, all, integration.NewWebhook{URL: url, Events: []string{"lead.created"}})
		require.ErrorAs(t, err, &refused, url)
		require.Equal(t, reason, refused.Reason, url)
		_, err = f.integrations.Update(t.Context(), f.DB, f.Ours, existing.ID, all, integration.Change{URL: &url})
		require.ErrorAs(t, err, &refused, url)
	}
	require.Equal(t, existing, f.get(t, existing.ID))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM integrations"))
	for _, url := range []string{"http://127.0.0.1:8080/hook", "http://localhost/hook", "https://93.184.216.34:8443/a?b=c"} {
		_, err := f.integrations.Update(t.Context(), f.DB, f.Ours, existing.ID, all, integration.Change{URL: &url})
		require.NoError(t, err, url)
	}
}

func TestTheSecretIsSealedForItsRow(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row, secret := f.webhook(t, address)
	other, otherSecret := f.webhook(t, address)
	require.Regexp(t, `^wh_[0-9a-f]{48}$`, secret)
	require.NotEqual(t, secret, otherSecret)
	require.NotContains(t, string(row.Secret), secret[3:])
	require.Equal(t, []string{secret}, f.secrets(t, row.ID))
	row.ID = other.ID
	f.Exec(t, "UPDATE integrations SET secret = $1 WHERE id = $2", row.Secret, other.ID)
	attempt, err := f.integrations.Ping(t.Context(), f.Ours, other.ID, all)
	require.NoError(t, err)
	require.Equal(t, sender.Unreadable, attempt.Error, "a secret copied to another row cannot be opened")
	require.Equal(t, api.IntegrationStatusERROR, f.get(t, other.ID).Status)
}

func TestUpdateClearsTheErrorButKeepsADisabledWebhookDisabled(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, one := range []struct {
		before api.IntegrationStatus
		set    *api.IntegrationStatus
		after  api.IntegrationStatus
	}{
		{api.IntegrationStatusERROR, nil, api.IntegrationStatusCONNECTED},
		{api.IntegrationStatusDISABLED, nil, api.IntegrationStatusDISABLED},
		{api.IntegrationStatusDISABLED, new(api.IntegrationStatusCONNECTED), api.IntegrationStatusCONNECTED},
		{api.IntegrationStatusERROR, new(api.IntegrationStatusDISABLED), api.IntegrationStatusDISABLED},
	} {
		row, _ := f.webhook(t, address)
		f.Exec(t, `UPDATE integrations SET status = $1, error_code = 'webhook.failing', error_message = 'x', error_at = $2, failures = 7,
			failing_since = $2, paused_until = $2 WHERE id = $3`, one.before, f.Clock.Now(), row.ID)
		f.Clock.Advance(time.Minute)
		got, err := f.integrations.Update(t.Context(), f.DB, f.Ours, row.ID, all, integration.Change{Status: one.set})
		require.NoError(t, err)
		require.Equal(t, f.Clock.Now(), got.UpdatedAt.UTC())
		row.Status, row.UpdatedAt = one.after, got.UpdatedAt
		require.Equal(t, row, got, "all traces of the error are gone, the rest is unchanged")
	}
}

// TestUpdateRequiresTheScopesOfTheResult checks that a token cannot redirect events that
// it cannot read itself.
func TestUpdateRequiresTheScopesOfTheResult(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row, _ := f.webhook(t, address)
	elsewhere := "https://elsewhere.example.com"
	messages := []string{"message.created", "message.created"}
	for _, one := range []struct {
		has     integration.Has
		change  integration.Change
		missing api.Scope
	}{
		{only(), integration.Change{URL: &elsewhere}, api.ScopeLeadsRead},
		{only(), integration.Change{Status: new(api.IntegrationStatusDISABLED)}, api.ScopeLeadsRead},
		{only(api.ScopeLeadsRead), integration.Change{Events: &messages}, api.ScopeConversationsRead},
		{only(api.ScopeConversationsRead), integration.Change{URL: &elsewhere}, api.ScopeLeadsRead},
	} {
		_, err := f.integrations.Update(t.Context(), f.DB, f.Ours, row.ID, one.has, one.change)
		var missing *token.MissingScopeError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, one.missing, missing.Scope)
		require.Equal(t, row, f.get(t, row.ID))
	}
	var unknown *event.UnknownTypesError
	_, err := f.integrations.Update(t.Context(), f.DB, f.Ours, row.ID, all, integration.Change{Events: &[]string{"lead.created", "x"}})
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []int{1}, unknown.Indexes)
	got, err := f.integrations.Update(t.Context(), f.DB, f.Ours, row.ID, only(api.ScopeLeadsRead, api.ScopeConversationsRead), integration.Change{Events: &messages})
	require.NoError(t, err)
	require.Equal(t, []string{"message.created"}, got.Events, "each type once")
}

func TestOtherIntegrationsHaveNoWebhookSettings(t *testing.T) {
	t.Parallel()
	f := setup(t)
	crm := f.crm(t, api.IntegrationStatusERROR)
	url := address
	for _, change := range []integration.Change{{URL: &url}, {Events: &[]string{"lead.created"}}} {
		_, err := f.integrations.Update(t.Context(), f.DB, f.Ours, crm, all, change)
		require.ErrorIs(t, err, integration.ErrNotWebhook)
	}
	require.Equal(t, api.IntegrationStatusERROR, f.get(t, crm).Status)
	_, _, err := f.integrations.RotateSecret(t.Context(), f.DB, f.Ours, crm, all, 0)
	require.ErrorIs(t, err, postgres.ErrNotFound)
	_, err = f.integrations.Ping(t.Context(), f.Ours, crm, all)
	require.ErrorIs(t, err, postgres.ErrNotFound)
	_, err = f.integrations.Deliveries(t.Context(), f.Ours, crm, all, page.Request{})
	require.ErrorIs(t, err, postgres.ErrNotFound)
	row, err := f.integrations.Update(t.Context(), f.DB, f.Ours, crm, only(), integration.Change{})
	require.NoError(t, err, "no scope is needed: it sends no events")
	require.Equal(t, api.IntegrationStatusCONNECTED, row.Status)
}

func TestARotatedSecretSignsUntilTheOverlapEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row, first := f.webhook(t, address)
	second, until, err := f.integrations.RotateSecret(t.Context(), f.DB, f.Ours, row.ID, all, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, seed.Start.Add(24*time.Hour), *until)
	require.Equal(t, []string{second, first}, f.secrets(t, row.ID), "the current one first")
	f.Clock.Advance(24*time.Hour - time.Millisecond)
	require.Equal(t, []string{second, first}, f.secrets(t, row.ID))
	f.Clock.Advance(time.Millisecond)
	require.Equal(t, []string{second}, f.secrets(t, row.ID))
	third, _, err := f.integrations.RotateSecret(t.Context(), f.DB, f.Ours, row.ID, all, time.Hour)
	require.NoError(t, err)
	fourth, _, err := f.integrations.RotateSecret(t.Context(), f.DB, f.Ours, row.ID, all, time.Hour)
	require.NoError(t, err)
	require.Equal(t, []string{fourth, third}, f.secrets(t, row.ID), "at most two are valid")
	fifth, until, err := f.integrations.RotateSecret(t.Context(), f.DB, f.Ours, row.ID, all, 0)
	require.NoError(t, err)
	require.Nil(t, until)
	require.Equal(t, []string{fifth}, f.secrets(t, row.ID), "without an overlap the old ones stop immediately")
}

func TestIntegrationsOfAnotherWorkspaceAreNotFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row, secret := f.webhook(t, address)
	delivery := f.deliver(t, row.ID, api.WebhookDeliveryStatusFAILED, nil)
	ctx, s := t.Context(), f.integrations
	for name, call := range map[string]func(space, integrationID uuid.UUID) error{
		"Get": func(space, id uuid.UUID) error { _, err := s.Get(ctx, space, id); return err },
		"Update": func(space, id uuid.UUID) error {
			_, err := s.Update(ctx, f.DB, space, id, all, integration.Change{Status: new(api.IntegrationStatusDISABLED)})
			return err
		},
		"RotateSecret": func(space, id uuid.UUID) error { _, _, err := s.RotateSecret(ctx, f.DB, space, id, all, 0); return err },
		"Ping":         func(space, id uuid.UUID) error { _, err := s.Ping(ctx, space, id, all); return err },
		"Deliveries": func(space, id uuid.UUID) error {
			_, err := s.Deliveries(ctx, space, id, all, page.Request{})
			return err
		},
		"Redeliver": func(space, id uuid.UUID) error {
			_, err := s.Redeliver(ctx, f.DB, space, id, delivery, all)
			return err
		},
		"Delete": func(space, id uuid.UUID) error { return s.Delete(ctx, f.DB, space, id, all) },
	} {
		foreign, absent := call(f.Theirs, row.ID), call(f.Ours, uuid.New())
		require.ErrorIs(t, foreign, postgres.ErrNotFound, name)
		require.Equal(t, absent.Error(), foreign.Error(), name)
	}
	require.Equal(t, row, f.get(t, row.ID))
	require.Equal(t, []string{secret}, f.secrets(t, row.ID))
	listed, err := s.List(ctx, f.Theirs, page.Request{})
	require.NoError(t, err)
	require.Empty(t, listed.Rows)
	require.Empty(t, f.Events(t, f.Theirs))
	require.Equal(t, "FAILED", f.status(t, delivery))
}
