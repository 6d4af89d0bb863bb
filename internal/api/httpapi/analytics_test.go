package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

const demoSpan = "from=2026-04-01T00:00:00Z&to=2026-05-01T00:00:00Z"

func overview(t *testing.T, s *apitest.Server, token, query string) api.AnalyticsOverview {
	t.Helper()
	return apitest.Decode[api.AnalyticsOverview](t, s.Get(t, token, "/analytics/overview?"+query).Want(t, http.StatusOK))
}

func timeseries(t *testing.T, s *apitest.Server, token, query string) api.AnalyticsTimeseries {
	t.Helper()
	return apitest.Decode[api.AnalyticsTimeseries](t, s.Get(t, token, "/analytics/timeseries?"+query).Want(t, http.StatusOK))
}

func TestOverviewMatchesRows(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	figures := overview(t, s, rich.Token, demoSpan).Figures
	count := func(query string) (n int64) {
		require.NoError(t, s.DB.QueryRow(t.Context(), query, rich.ID).Scan(&n))
		return n
	}
	const april = " AND created_at >= '2026-04-01' AND created_at < '2026-05-01'"
	require.Equal(t, count("SELECT count(*) FROM conversations WHERE workspace_id = $1"+april), figures.ConversationsOpened)
	require.Equal(t, count("SELECT count(*) FROM conversations WHERE workspace_id = $1 AND status = 'CLOSED'"), figures.ConversationsClosed)
	require.Equal(t, count("SELECT count(*) FROM conversations WHERE workspace_id = $1 AND handed_off_at IS NOT NULL"), figures.ConversationsHandedOff)
	require.Equal(t, count("SELECT count(*) FROM leads WHERE workspace_id = $1"+april), figures.LeadsCreated)
	require.Equal(t, count("SELECT count(*) FROM leads WHERE workspace_id = $1 AND status = 'WON'"+april), won(figures))
	require.InDelta(t, float64(won(figures))/float64(figures.LeadsCreated), figures.ConversionRate, 1e-9)
	var median float64
	require.NoError(t, s.DB.QueryRow(t.Context(), `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM first_operator_reply_at - handed_off_at))
		FROM conversations WHERE workspace_id = $1 AND first_operator_reply_at IS NOT NULL`, rich.ID).Scan(&median))
	require.InEpsilon(t, median, *figures.MedianFirstOperatorReplySeconds, 0.025)
	require.Positive(t, median)
}

func TestTimeseriesSumsToOverview(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	whole := overview(t, s, rich.Token, demoSpan).Figures
	for granularity, buckets := range map[string]int{"day": 30, "week": 5, "month": 1} {
		for _, group := range []string{"", "&groupBy=agent", "&groupBy=channel", "&groupBy=status"} {
			series := timeseries(t, s, rich.Token, demoSpan+"&granularity="+granularity+group)
			require.Len(t, series.Buckets, buckets)
			var opened, closed, leads, grouped int64
			for i, bucket := range series.Buckets {
				opened += bucket.Figures.ConversationsOpened
				closed += bucket.Figures.ConversationsClosed
				leads += bucket.Figures.LeadsCreated
				require.Equal(t, group == "", bucket.Groups == nil)
				if group != "" {
					require.Len(t, *bucket.Groups, len(*series.Buckets[0].Groups), "every bucket lists the same groups")
					for _, g := range *bucket.Groups {
						grouped += g.Figures.ConversationsOpened
					}
				}
				if i > 0 {
					require.Equal(t, series.Buckets[i-1].End, bucket.Start)
				}
			}
			require.Equal(t, whole.ConversationsOpened, opened)
			require.Equal(t, whole.ConversationsClosed, closed)
			require.Equal(t, whole.LeadsCreated, leads)
			if group != "" {
				require.Equal(t, opened, grouped)
			}
		}
	}
}

func TestTimeseriesFillsEmptyBuckets(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	series := timeseries(t, s, token, "from=2026-02-27T06:00:00Z&to=2026-03-02T12:00:00Z")
	require.Len(t, series.Buckets, 4)
	require.Equal(t, "2026-02-27T06:00:00.000Z", series.Buckets[0].Start.String(), "the first is cut to the span")
	require.Equal(t, "2026-02-28T00:00:00.000Z", series.Buckets[1].Start.String())
	require.Equal(t, "2026-03-02T12:00:00.000Z", series.Buckets[3].End.String(), "and so is the last")
	for _, bucket := range series.Buckets {
		for _, stage := range bucket.Figures.LeadsByStage {
			require.Zero(t, stage.Count)
		}
		require.Len(t, bucket.Figures.LeadsByStage, 5)
		bucket.Figures.LeadsByStage = nil
		require.Zero(t, bucket.Figures)
	}
	weeks := timeseries(t, s, token, "granularity=week&from=2026-04-01T00:00:00Z&to=2026-04-14T00:00:00Z")
	require.Equal(t, "2026-04-06T00:00:00.000Z", weeks.Buckets[1].Start.String(), "weeks begin on Monday")
}

func TestAnalyticsSpanHasDefaultAndMaximum(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	standard := overview(t, s, token, "")
	require.Equal(t, s.Clock.Now(), standard.To.Time)
	require.Equal(t, s.Clock.Now().Add(-30*24*time.Hour), standard.From.Time)
	overview(t, s, token, "from=2025-04-30T00:00:00Z&to=2026-05-01T00:00:00Z")
	for _, query := range []string{
		"from=2025-04-29T00:00:00Z&to=2026-05-01T00:00:00Z", "from=2026-05-01T00:00:00Z", "from=2026-04-01T00:00:00Z&to=2026-04-01T00:00:00Z",
		"from=yesterday", "from=2026-04-01", "granularity=day",
	} {
		s.Get(t, token, "/analytics/overview?"+query).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	s.Get(t, token, "/analytics/timeseries?granularity=hour").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

func TestAnalyticsReflectChanges(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	s.Clock.Advance(365 * 24 * time.Hour / 2)
	c := s.Conversation(t, rich, api.ConversationStatusOPEN)
	bulk(t, s, rich.Token, map[string]any{"ids": []uuid.UUID{c.ID}, "action": "close"})
	bulk(t, s, rich.Token, map[string]any{"ids": []uuid.UUID{c.ID}, "action": "reopen"})
	bulk(t, s, rich.Token, map[string]any{"ids": []uuid.UUID{c.ID}, "action": "close"})
	lead := createLead(t, s, rich.Token, `{"fields":{"name":"Anna"}}`)
	s.Patch(t, rich.Token, "/leads/"+lead.ID.String()+"/status", `{"status":"WON"}`).Want(t, http.StatusOK)
	s.Clock.Advance(time.Second)
	got := overview(t, s, rich.Token, "groupBy=agent")
	require.Equal(t, int64(2), got.Figures.ConversationsClosed)
	require.Equal(t, int64(1), won(got.Figures))
	require.InDelta(t, 1.0, got.Figures.ConversionRate, 0)
	require.Len(t, *got.Groups, 2)
	require.Equal(t, c.AgentID.String(), *(*got.Groups)[0].Key)
	require.NotNil(t, (*got.Groups)[0].Name)
	require.Nil(t, (*got.Groups)[1].Key, "the lead belongs to no conversation")
}

// TestAnalyticsReadOneSnapshot reads analytics during concurrent writes: each
// response must be a state that existed.
func TestAnalyticsReadOneSnapshot(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				// Two leads at a time, in one transaction.
				_, err := s.DB.Exec(t.Context(), `WITH created AS (
						INSERT INTO leads (workspace_id, id, status, fields, created_at, updated_at)
						SELECT w.id, x::uuid, 'NEW', '{"a":"b"}', $2, $2 FROM workspaces AS w, unnest($1::text[]) AS x WHERE slug = 'acme'
						RETURNING *
					) SELECT count_lead(workspace_id, NULL, created_at, status, 1) FROM created`,
					[]string{newID(s), newID(s)}, s.Clock.Now())
				if err != nil {
					return
				}
			}
		}
	}()
	for range 50 {
		figures := overview(t, s, token, "to=2026-05-01T00:00:00Z").Figures
		require.Zero(t, figures.LeadsCreated%2, "half a transaction was counted")
	}
	close(stop)
	<-done
}

func newID(s *apitest.Server) string {
	id, _ := s.IDs.New()
	return id.String()
}

// won returns the number of leads in stage WON.
func won(figures api.AnalyticsFigures) int64 {
	for _, stage := range figures.LeadsByStage {
		if stage.Status == api.LeadStatusWON {
			return stage.Count
		}
	}
	return 0
}
