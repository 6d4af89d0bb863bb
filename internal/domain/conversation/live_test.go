package conversation_test

import (
	"encoding/json"
	"strings"
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

// TestDraftsArePassedOnAndBounded: a draft is no longer than other processes can be told.
func TestDraftsArePassedOnAndBounded(t *testing.T) {
	t.Parallel()
	service := conversation.Service{Live: fanout.NewHub(nil, nil)}
	topic := uuid.New()
	following := service.Live.Subscribe(topic)
	defer following.Close()
	for _, one := range []struct{ text, shown string }{
		{"We deliver", "We deliver"},
		{"", ""},
		{strings.Repeat("ż", 4000), strings.Repeat("ż", 998) + "…"},
	} {
		service.Draft(topic, one.text)
		var typing api.WidgetTypingEvent
		require.NoError(t, json.Unmarshal(<-following.Signals(), &typing))
		require.Equal(t, api.WidgetTypingEvent{Author: api.MessageAuthorTypeAGENT, On: true, Draft: &one.shown}, typing)
	}
	(&conversation.Service{}).Draft(topic, "nothing is live")
}
