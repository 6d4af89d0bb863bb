package runner_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/fanout"
)

// writing is a provider that has written the beginning of a reply, until it is told to end.
type writing struct {
	*scripted.Provider

	end chan struct{}
}

func (w writing) Stream(ctx context.Context, request model.Request, part func(text string)) (model.Response, error) {
	part("We do deliver ")
	parts := time.NewTicker(20 * time.Millisecond)
	defer parts.Stop()
	for {
		select {
		case <-ctx.Done():
			return model.Response{}, ctx.Err()
		case <-w.end:
			return w.Chat(ctx, request)
		case <-parts.C:
			part("") // such as of a call of a tool
		}
	}
}

// TestVisitorsSeeDrafts lets an agent write two replies: one is stored, and an operator prevents
// the other one.
func TestVisitorsSeeDrafts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.conversations.Live = fanout.NewHub(nil, nil)
	end := make(chan struct{}, 1) // for one reply at a time, also if it has ended already
	f.providers["writing"] = writing{f.models, end}
	agent := f.newAgent(t, f.Ours, "writing")
	f.run(t)
	begin := func() (uuid.UUID, *fanout.Subscription) {
		id := f.writes(t, f.visitor(t, f.Ours, agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?").Conversation.ID
		s := f.conversations.Live.Subscribe(id)
		t.Cleanup(s.Close)
		require.Equal(t, "We do deliver", nextDraft(t, s))
		return id, s
	}
	id, s := begin()
	end <- struct{}{}
	require.Equal(t, api.AgentRunOutcomeANSWERED, *f.ended(t, id, 1)[0].Outcome)
	require.Equal(t, []string{"We do. [1]"}, f.replies(t, id))
	for len(s.Signals()) > 0 {
		require.NotContains(t, string(<-s.Signals()), `"draft":""`, "the message replaces the draft")
	}
	id, s = begin()
	_, err := f.conversations.HandOff(t.Context(), f.DB, f.Ours, id, conversation.HandOff{})
	require.NoError(t, err)
	end <- struct{}{}
	for nextDraft(t, s) != "" { // no message replaces it
	}
	require.Equal(t, api.AgentRunOutcomeDROPPED, *f.ended(t, id, 1)[0].Outcome)
	require.Empty(t, f.replies(t, id))
}

// nextDraft waits for a draft, and passes over who is typing.
func nextDraft(t *testing.T, s *fanout.Subscription) string {
	t.Helper()
	for {
		var said api.WidgetTypingEvent
		select {
		case signal := <-s.Signals():
			require.NoError(t, json.Unmarshal(signal, &said))
		case <-t.Context().Done():
			t.FailNow()
		}
		if said.Draft != nil {
			return *said.Draft
		}
	}
}
