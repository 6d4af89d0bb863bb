package conversation_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/fanout"
)

// TestTypingIsPassedOn: those who watch a conversation learn who writes in it.
func TestTypingIsPassedOn(t *testing.T) {
	t.Parallel()
	service := conversation.Service{Live: fanout.NewHub(nil, nil)}
	watched := service.Live.Subscribe(uuid.New())
	defer watched.Close()
	followed := uuid.New()
	following := service.Live.Subscribe(followed)
	defer following.Close()
	service.Typing(followed, api.MessageAuthorTypeAGENT, true)
	require.JSONEq(t, `{"author":"AGENT","on":true}`, string(<-following.Signals()))
	require.Empty(t, watched.Signals(), "of another conversation")
	(&conversation.Service{}).Typing(followed, api.MessageAuthorTypeAGENT, true)
}
