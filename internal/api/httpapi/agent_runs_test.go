package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestTheDemoConverses is what a visitor of the demo sees, and what operators see of it.
func TestTheDemoConverses(t *testing.T) {
	t.Parallel()
	s := &shop{Server: apitest.New(t, apitest.Options{Workers: true})}
	rich, _ := s.Demo(t)
	for _, one := range apitest.Decode[[]api.Channel](t, s.Get(t, rich.Token, "/channels").Want(t, http.StatusOK)) {
		if one.Type == api.ChannelTypeWEBSITE {
			s.channel = one.ID
		}
	}
	v := s.visit(t)
	stream := s.Stream(t, apitest.Request{Path: "/widget/events", Token: v.Token})
	seen := map[uuid.UUID]bool{} // a message arrives again when it was sent
	said := func(content string) api.WidgetMessage {
		v.send(t, uuid.NewString(), content).Want(t, http.StatusCreated)
		for {
			event := stream.Any(t)
			if event.Name != "message" {
				continue
			}
			var message api.WidgetMessage
			require.NoError(t, json.Unmarshal(event.Data, &message))
			if message.Author.Type == api.MessageAuthorTypeAGENT && !seen[message.ID] {
				seen[message.ID] = true
				return message
			}
		}
	}
	answer := said("How long may I return shoes?")
	require.Contains(t, answer.Content, "within 30 days of delivery")
	require.Contains(t, answer.Content, "[1]")
	require.Equal(t, "Returns and refunds", (*answer.Citations)[0].Title)
	require.Contains(t, said("Do you sell bicycles?").Content, "Would you like to talk to a person?")
	said("My name is Anna Nowak and my email is anna@example.com")
	require.Contains(t, said("I want a human").Content, "colleague")

	current := apitest.Decode[api.WidgetSession](t, s.begin(t, map[string]any{"visitorId": v.VisitorID}).Want(t, http.StatusCreated)).Conversation
	require.Equal(t, api.ConversationStatusHANDEDOFF, current.Status)
	detail := apitest.Decode[api.ConversationDetail](t, s.Get(t, rich.Token, "/conversations/"+current.ID.String()).Want(t, http.StatusOK))
	require.Equal(t, "Anna Nowak (anna@example.com) wrote: “How long may I return shoes?” “Do you sell bicycles?” “I want a human”.", *detail.Summary)
	leads := apitest.Decode[[]api.Lead](t, s.Get(t, rich.Token, "/leads?limit=200").Want(t, http.StatusOK))
	at := slices.IndexFunc(leads, func(one api.Lead) bool { return one.ConversationID != nil && *one.ConversationID == current.ID })
	require.NotEqual(t, -1, at)
	lead := leads[at]
	require.JSONEq(t, `{"name":"Anna Nowak","email":"anna@example.com"}`, string(lead.Fields))
	require.Equal(t, int32(60), *lead.Score)
	require.NotEmpty(t, *lead.ScoreReason)

	path := "/agents/" + detail.AgentID.String() + "/runs"
	runs := apitest.Decode[[]api.AgentRun](t, s.Get(t, rich.Token, path).Want(t, http.StatusOK))
	var outcomes []api.AgentRunOutcome
	for _, run := range runs {
		require.Equal(t, api.AgentRunStatusFINISHED, run.Status)
		outcomes = append(outcomes, *run.Outcome)
	}
	require.Equal(t, []api.AgentRunOutcome{
		api.AgentRunOutcomeHANDEDOFF, api.AgentRunOutcomeANSWERED, api.AgentRunOutcomeREFUSED, api.AgentRunOutcomeANSWERED,
	}, outcomes, "newest first")
	require.Len(t, walkPages(t, s.Server, rich.Token, path, 3), 4)
	s.Post(t, rich.Token, "/conversations/"+current.ID.String()+"/operator-message", `{"content":"Hello, this is Ola."}`).Want(t, http.StatusCreated)
}

func TestRunsShowWhatTheyWaitFor(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	agent := apitest.First[api.Agent](t, s.Server, apitest.Space{Token: s.token}, "/agents").ID.String()
	require.JSONEq(t, "[]", string(s.Get(t, s.token, "/agents/"+agent+"/runs").Want(t, http.StatusOK).Body))
	s.Patch(t, s.token, "/agents/"+agent, `{"status":"PUBLISHED"}`).Want(t, http.StatusOK)
	s.visit(t).send(t, uuid.NewString(), "Hello").Want(t, http.StatusCreated)
	queued := apitest.Decode[[]api.AgentRun](t, s.Get(t, s.token, "/agents/"+agent+"/runs").Want(t, http.StatusOK))
	require.Equal(t, api.AgentRunStatusQUEUED, queued[0].Status)
	require.Nil(t, queued[0].Outcome)
	s.Exec(t, "UPDATE agent_runs SET lease = gen_random_uuid(), leased_until = $1, started_at = $1", s.Clock.Now().Add(time.Second))
	running := apitest.Decode[[]api.AgentRun](t, s.Get(t, s.token, "/agents/"+agent+"/runs").Want(t, http.StatusOK))
	require.Equal(t, api.AgentRunStatusRUNNING, running[0].Status)
}

func TestPreviewsStoreNothing(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	before := snapshot(t, s, rich.ID)
	path := "/agents/" + apitest.First[api.Agent](t, s, rich, "/agents").ID.String() + "/preview"
	preview := func(messages string) api.AgentPreview {
		return apitest.Decode[api.AgentPreview](t, s.Post(t, rich.Token, path, `{"messages":[`+messages+`]}`).Want(t, http.StatusOK))
	}
	answer := preview(`{"role":"USER","content":"What does delivery cost?"}`)
	require.Equal(t, api.AgentRunOutcomeANSWERED, answer.Outcome)
	require.Equal(t, "Delivery", answer.Citations[0].Title)
	left := preview(`{"role":"USER","content":"Hi"},{"role":"ASSISTANT","content":"Hello!"},{"role":"USER","content":"I'm Anna Nowak, anna@example.com. I want a human."}`)
	require.Equal(t, api.AgentRunReasonVisitorRequest, *left.Reason)
	require.JSONEq(t, `{"name":"Anna Nowak","email":"anna@example.com"}`, string(left.Lead.Fields))
	require.NotEmpty(t, *left.Summary)
	require.Equal(t, before, snapshot(t, s, rich.ID))
	for _, body := range []string{`{"messages":[]}`, `{}`, `{"messages":[{"role":"USER","content":""}]}`, `{"messages":[{"role":"ASSISTANT","content":"Hi"}]}`} {
		s.Post(t, rich.Token, path, body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}

func TestChecksSayWhetherAnAgentCanReply(t *testing.T) {
	t.Parallel()
	broken := scripted.New(func(context.Context, model.Request) (model.Response, error) {
		return model.Response{}, errors.New("secret cause")
	})
	s := apitest.New(t, apitest.Options{Models: model.Registry{"broken": broken, "works": scripted.New(scripted.Says("Hello"))}})
	token := s.Token(t, s.Workspace(t, "acme"))
	for provider, want := range map[string]api.AgentRunReason{"works": "", "broken": api.AgentRunReasonModelFailed, "openai": api.AgentRunReasonModelUnavailable} {
		agent := apitest.Decode[api.AgentDetail](t, s.Post(t, token, "/agents", `{"name":"A","modelProvider":"`+provider+`","modelName":"m"}`).Want(t, http.StatusCreated))
		response := s.Post(t, token, "/agents/"+agent.ID.String()+"/check", nil).Want(t, http.StatusOK)
		checked := apitest.Decode[api.AgentCheck](t, response)
		require.Equal(t, want == "", checked.Ok, provider)
		require.NotContains(t, string(response.Body), "secret cause")
		if want != "" {
			require.Equal(t, want, *checked.Reason)
			require.NotEmpty(t, *checked.Detail)
		}
	}
}
