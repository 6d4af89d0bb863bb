package dispatcher_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/testing/apitest"
)

// breakSecret makes a webhook's secret unreadable, and its report to the owner fail as
// often as the condition says, whose n counts the tries from 1.
func (b *bed) breakSecret(t *testing.T, webhook uuid.UUID, fails string) {
	t.Helper()
	b.Exec(t, "CREATE SEQUENCE reports")
	b.Exec(t, `CREATE FUNCTION fail_report() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n bigint := nextval('reports'); BEGIN
		IF `+fails+` THEN RAISE 'no report'; END IF; RETURN NEW; END $$`)
	b.Exec(t, `CREATE TRIGGER report BEFORE UPDATE ON integrations FOR EACH ROW
		WHEN (NEW.error_code = 'webhook.secret_unreadable') EXECUTE FUNCTION fail_report()`)
	b.Exec(t, "UPDATE integrations SET secret = 'x' WHERE id = $1", webhook)
}

// TestAnUnreadableSecretIsReportedAfterAFailedReport lets the first report fail.
func TestAnUnreadableSecretIsReportedAfterAFailedReport(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.breakSecret(t, b.hook, "n = 1")
	b.lead(t)
	require.Eventually(t, func() bool { return b.integration(t).Status == api.IntegrationStatusERROR }, time.Minute, 5*time.Millisecond)
	require.Equal(t, api.IntegrationErrorCodeWebhookSecretUnreadable, b.integration(t).Error.Code)
}

// TestAnUnreadableSecretDelaysNoOther lets every report fail.
func TestAnUnreadableSecretDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	healthy := apitest.NewReceiver(t, nil)
	b.subscribe(t, healthy.URL)
	b.breakSecret(t, b.hook, "true")
	b.lead(t)
	healthy.WaitFor(t, 1)
	require.Empty(t, b.receiver.All())
}
