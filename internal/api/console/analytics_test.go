package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// number matches the numeric table cells of a page.
var number = regexp.MustCompile(`<td class="number">(\d+)</td>`)

func TestAnalyticsMatchTheAPI(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	demo, _ := s.Demo(t)
	member(t, s, demo.ID)
	s.Clock.Advance(20 * 24 * time.Hour)
	s.Exec(t, "INSERT INTO analytics_deltas (workspace_id, day, agent_id, kind, n) SELECT workspace_id, '2026-05-01', id, 'run ANSWERED', 2 FROM agents WHERE workspace_id = $1 LIMIT 1", demo.ID)
	p := signedIn(t, s)
	overview := apitest.Decode[api.AnalyticsOverview](t, s.Get(t, demo.Token, "/analytics/overview?from=2026-04-01T00:00:00Z&to=2026-06-01T00:00:00Z").Want(t, http.StatusOK))
	page := p.get(t, "/app/analytics?days=0&from=2026-04-01&to=2026-05-31&granularity=day").want(t, http.StatusOK)
	require.Contains(t, page.Body, fmt.Sprintf(`Leads created</p><p class="value">%d</p>`, overview.Figures.LeadsCreated))
	require.Contains(t, page.Body, fmt.Sprintf(`Conversations opened</p><p class="value">%d</p>`, overview.Figures.ConversationsOpened))
	var sum int
	for _, found := range number.FindAllStringSubmatch(page.Body, -1) {
		value, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		sum += value
	}
	total := overview.Figures
	agents := apitest.Decode[api.AgentAnalytics](t, s.Get(t, demo.Token, "/analytics/agents?from=2026-04-01T00:00:00Z&to=2026-06-01T00:00:00Z").Want(t, http.StatusOK)).Figures
	replies := agents.Answered + agents.Refused + agents.HandedOff + agents.Ended
	require.Equal(t, int64(2), replies)
	require.EqualValues(t, total.LeadsCreated+total.ConversationsOpened+total.ConversationsClosed+total.ConversationsHandedOff+replies, sum, "the tables next to the charts")
	require.Len(t, regexp.MustCompile(`role="img"`).FindAllString(page.Body, -1), 5)
	grouped := p.get(t, "/app/analytics?days=365&granularity=month&groupBy=channel").want(t, http.StatusOK)
	require.Contains(t, grouped.Body, "of the shop")
	require.Contains(t, grouped.Body, "others", "ten channels exceed the number of colors")
}

func TestAnalyticsOfEmptyWorkspace(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	require.Contains(t, p.get(t, "/app/analytics").want(t, http.StatusOK).Body, "Metrics appear after the first")
	require.Contains(t, p.get(t, "/app/analytics?days=7").want(t, http.StatusOK).Body, "Show the last 365 days")
	for _, query := range []string{"days=0", "days=0&from=2026-05-02&to=2026-05-01", "days=0&from=2020-01-01&to=2026-05-01", "days=0&from=x&to=y"} {
		p.get(t, "/app/analytics?"+query).want(t, http.StatusBadRequest)
	}
	p.get(t, "/app/analytics?days=9&granularity=eon&groupBy=mood").want(t, http.StatusOK)
}
