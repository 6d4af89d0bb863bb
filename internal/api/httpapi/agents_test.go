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

func TestCreateAgentSetsDefaults(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	response := s.Post(t, token, "/agents", `{"name":"Sales agent","modelProvider":"openai","modelName":"gpt-4o-mini"}`).Want(t, http.StatusCreated)
	created := apitest.Decode[api.AgentDetail](t, response)
	require.Equal(t, api.AgentStatusDRAFT, created.Status)
	require.InDelta(t, 1.0, created.Temperature, 0)
	require.Equal(t, int32(1024), created.MaxTokens)
	require.Empty(t, created.SystemPrompt)
	require.Equal(t, "/api/v1/agents/"+created.ID.String(), response.Header.Get("Location"))
	require.JSONEq(t, string(response.Body), string(s.Get(t, token, "/agents/"+created.ID.String()).Want(t, http.StatusOK).Body))
}

func TestUpdateAgentChangesOnlyGivenProperties(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	created := apitest.Decode[api.AgentDetail](t, s.Post(t, token, "/agents",
		`{"name":"A","modelProvider":"p","modelName":"m","systemPrompt":"Be brief.","temperature":0,"maxTokens":7,"status":"PUBLISHED"}`).Want(t, http.StatusCreated))
	s.Clock.Advance(time.Minute)
	changed := apitest.Decode[api.AgentDetail](t, s.Patch(t, token, "/agents/"+created.ID.String(), `{"systemPrompt":"","status":"ARCHIVED"}`).Want(t, http.StatusOK))
	want := created
	want.SystemPrompt, want.Status, want.UpdatedAt.Time, want.UnpublishedChanges = "", api.AgentStatusARCHIVED, s.Clock.Now(), true
	require.Equal(t, want, changed)
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":null}`, `{"temperature":2.1}`, `{"maxTokens":0}`, `{"status":"LIVE"}`} {
		s.Patch(t, token, "/agents/"+created.ID.String(), body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	s.Patch(t, token, "/agents/"+uuid.NewString(), `{"name":"x"}`).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// TestPublishedVersionsReply edits an agent that replies, publishes it and rolls it back.
func TestPublishedVersionsReply(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	path := "/agents/" + apitest.Decode[api.AgentDetail](t, s.Post(t, token, "/agents",
		`{"name":"A","modelProvider":"p","modelName":"m","systemPrompt":"One."}`).Want(t, http.StatusCreated)).ID.String()
	require.JSONEq(t, "[]", string(s.Get(t, token, path+"/versions").Want(t, http.StatusOK).Body))
	published := apitest.Decode[api.AgentDetail](t, s.Post(t, token, path+"/publish", nil).Want(t, http.StatusOK))
	require.Equal(t, api.AgentStatusPUBLISHED, published.Status)
	require.Equal(t, int32(1), *published.PublishedVersion)
	edited := apitest.Decode[api.AgentDetail](t, s.Patch(t, token, path, `{"systemPrompt":"Two."}`).Want(t, http.StatusOK))
	require.True(t, edited.UnpublishedChanges)
	edited = apitest.Decode[api.AgentDetail](t, s.Patch(t, token, path, `{"status":"PUBLISHED","systemPrompt":"Two."}`).Want(t, http.StatusOK))
	require.Equal(t, int32(2), *edited.PublishedVersion)
	rolledBack := apitest.Decode[api.AgentDetail](t, s.Post(t, token, path+"/rollback", `{"version":1,"withdraw":true}`).Want(t, http.StatusOK))
	require.Equal(t, int32(1), *rolledBack.PublishedVersion)
	require.Equal(t, "Two.", rolledBack.SystemPrompt, "the draft stays")
	require.True(t, rolledBack.UnpublishedChanges)

	one := apitest.Decode[api.AgentVersionDetail](t, s.Get(t, token, path+"/versions/1").Want(t, http.StatusOK))
	require.Equal(t, "One.", one.SystemPrompt)
	require.True(t, one.Published)
	require.Nil(t, one.WithdrawnAt)
	response := s.Get(t, token, path+"/versions").Want(t, http.StatusOK)
	require.NotContains(t, string(response.Body), "systemPrompt")
	versions := apitest.Decode[[]api.AgentVersion](t, response)
	require.Len(t, versions, 2)
	require.NotNil(t, versions[0].WithdrawnAt)
	require.Len(t, walkPages(t, s, token, path+"/versions", 1), 2)

	s.Post(t, token, path+"/rollback", `{"version":3}`).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownVersion)
	s.Get(t, token, path+"/versions/3").Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	for _, number := range []string{"0", "-1", "01", "+1", "1.0", "one", "2147483648"} {
		s.Get(t, token, path+"/versions/"+number).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	for _, body := range []string{`{}`, `{"version":0}`, `{"version":1,"withdraw":null}`} {
		s.Post(t, token, path+"/rollback", body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}

func TestListAgentsReturnsSummaries(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	response := s.Get(t, rich.Token, "/agents").Want(t, http.StatusOK)
	require.Len(t, apitest.Decode[[]api.Agent](t, response), 4)
	require.NotContains(t, string(response.Body), "systemPrompt")
	require.Len(t, walkPages(t, s, rich.Token, "/agents", 2), 4)
}

func TestListChannelsReturnsAllTypes(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	types := map[api.ChannelType]bool{}
	for _, channel := range apitest.Decode[[]api.Channel](t, s.Get(t, rich.Token, "/channels").Want(t, http.StatusOK)) {
		types[channel.Type] = true
	}
	require.Len(t, types, len(s.Document.OpenAPI.Components.Schemas["ChannelType"].Value.Enum))
	require.Len(t, walkPages(t, s, rich.Token, "/channels", 3), 10)
}
