package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestRunsOfAgentsSurviveAKillAtEachPoint kills the worker at each step of a run. Another one
// continues it: the visitor gets one reply, the lead is created once, and no one waits without
// a reply.
func TestRunsOfAgentsSurviveAKillAtEachPoint(t *testing.T) {
	t.Parallel()
	killer, dir := buildKiller(t), t.TempDir()
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(dir, "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, database.Stop(context.WithoutCancel(t.Context()))) })
	environment := []string{
		"DATABASE_URL=" + database.URL("postgres"), "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_STORAGE=" + filepath.Join(dir, "files"), "CONVO_OPS_ADDR=",
	}
	server := start(t, environment, "serve", "--workers=false")
	f := faults{environment: environment}
	f.run(t, "seed")
	liftLimits(t, database.URL("postgres"))
	connection, err := pgx.Connect(t.Context(), database.URL("postgres"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close(context.WithoutCancel(t.Context()))) })
	channel := collect(t, connection, "SELECT id FROM channels WHERE type = 'WEBSITE' AND workspace_id = (SELECT id FROM workspaces WHERE slug = 'demo')")[0]

	number := func(query string, of uuid.UUID) (n int) {
		require.NoError(t, connection.QueryRow(t.Context(), query, of).Scan(&n))
		return n
	}
	lease := func(until string) {
		_, err := connection.Exec(t.Context(), "UPDATE agent_runs SET leased_until = now() + $1::interval, deadline_at = now() + interval '1 hour' WHERE outcome IS NULL", until)
		require.NoError(t, err)
	}
	const replies = "SELECT count(*) FROM messages WHERE conversation_id = $1 AND author_type = 'AGENT'"
	points := []string{failpoint.RunClaimed, failpoint.RunReplied, failpoint.RunStored, failpoint.RunEnded}
	conversations := make([]uuid.UUID, len(points))
	for i, point := range points {
		conversations[i] = chat(t, server, channel, "My email is anna@example.com. How long may I return shoes?")
		doomed := startDoomed(t, killer, append(slices.Clip(environment), failpoint.Variable+"="+point))
		<-doomed.ended
		require.Equal(t, point == failpoint.RunEnded, number(replies, conversations[i]) == 1, "%s: nothing before the commit", point)
		lease("1 hour") // the next worker must not begin it again, nor its deadline pass, however slow this machine is
	}
	lease("0 hours")
	started := time.Now()
	startBinary(t, killer, environment, "work")
	for i, point := range points {
		require.Eventually(t, func() bool {
			return number("SELECT count(*) FROM agent_runs WHERE conversation_id = $1 AND outcome IS NOT NULL", conversations[i]) == 1
		}, 2*time.Minute, 50*time.Millisecond, point)
		var run string
		require.NoError(t, connection.QueryRow(t.Context(), "SELECT to_json(agent_runs)::text FROM agent_runs WHERE conversation_id = $1", conversations[i]).Scan(&run))
		require.Equal(t, 1, number(replies, conversations[i]), "%s: %s", point, run)
		require.Equal(t, 1, number("SELECT count(*) FROM leads WHERE conversation_id = $1", conversations[i]), point)
		require.Equal(t, 1, number("SELECT count(*) FROM messages WHERE conversation_id = $1 AND citations <> '[]'", conversations[i]), point)
	}
	apitest.Tallyf(t, "kills: runs of agents killed at %d points are continued in %s", len(points), time.Since(started).Round(time.Second))
}

// startDoomed starts a worker that may die before it is ready.
func startDoomed(t *testing.T, path string, environment []string) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	p.Cmd = command(t, append(slices.Clip(environment), "CONVO_ADDR=127.0.0.1:0"), "work")
	p.Path, p.Args[0] = path, path
	require.NoError(t, p.Start())
	go func() {
		defer close(p.ended)
		_ = p.Wait() // it is killed
	}()
	return p
}

// chat sends a message of a new visitor, and returns the conversation.
func chat(t *testing.T, to *process, channel uuid.UUID, text string) uuid.UUID {
	t.Helper()
	session := widgetCall(t, to, "/widget/sessions", "", fmt.Sprintf(`{"channelId":%q}`, channel))
	widgetCall(t, to, "/widget/messages", session.Token, fmt.Sprintf(`{"clientMessageId":%q,"content":%q}`, uuid.New(), text))
	again := widgetCall(t, to, "/widget/sessions", "", fmt.Sprintf(`{"channelId":%q,"visitorId":%q}`, channel, session.VisitorID))
	require.NotNil(t, again.Conversation)
	return again.Conversation.ID
}

type widgetSession struct {
	Token        string `json:"token"`
	VisitorID    string `json:"visitorId"`
	Conversation *struct {
		ID uuid.UUID `json:"id"`
	} `json:"conversation"`
}

func widgetCall(t *testing.T, to *process, path, token, body string) (session widgetSession) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+to.addr+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, response.StatusCode, "%s", raw)
	require.NoError(t, json.Unmarshal(raw, &session))
	return session
}
