package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestEveryOperationWorksThroughPgBouncer calls each operation several times on a server
// whose database is behind PgBouncer in transaction mode.
func TestEveryOperationWorksThroughPgBouncer(t *testing.T) {
	t.Parallel()
	direct := newDatabase(t)
	pooled := apitest.StartPgBouncer(t, direct)
	for url, want := range map[string]bool{direct: false, pooled: true} {
		is, err := postgres.Pooled(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, want, is)
	}
	s := apitest.New(t, apitest.Options{DatabaseURL: pooled, DirectURL: direct, Workers: true})
	rich, _ := s.Demo(t)
	receiver := apitest.NewReceiver(t, nil)
	s.Post(t, rich.Token, "/integrations/webhook", map[string]any{"type": "WEBHOOK", "url": receiver.URL, "events": []string{"lead.created"}}).Want(t, http.StatusCreated)
	const leads = 20
	for range leads {
		s.Post(t, rich.Token, "/leads", `{"fields":{"name":"A","email":"a@example.com"},"source":"web"}`).Want(t, http.StatusCreated)
	}
	receiver.Wait(t, func(all []apitest.Received) bool { return len(all) >= leads })
	open := s.Conversation(t, rich, api.ConversationStatusOPEN)
	tag := apitest.First[api.Tag](t, s, rich, "/tags")
	s.Post(t, rich.Token, "/conversations/bulk", map[string]any{"ids": []any{open.ID}, "action": "tag", "tagIds": []any{tag.ID}}).Want(t, http.StatusOK)
	s.Get(t, rich.Token, "/conversations/"+open.ID.String()).Want(t, http.StatusOK)
	s.Get(t, rich.Token, "/conversations?tagIds="+tag.ID.String()).Want(t, http.StatusOK)
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		for range 5 {
			r := example(t, o)
			r.Token = rich.Token
			require.Less(t, s.Do(t, r).Status, http.StatusInternalServerError, o.ID)
		}
	})
}
