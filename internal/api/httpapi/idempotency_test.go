package httpapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

func withKey(token, body string) apitest.Request {
	return apitest.Request{
		Method: http.MethodPost, Path: "/leads", Token: token, Body: body, Header: map[string]string{"Idempotency-Key": "k"},
	}
}

func TestIdempotencyKeyReplaysResponse(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	const body = `{"fields":{"name":"Anna"}}`
	first := s.Do(t, withKey(token, body)).Want(t, http.StatusCreated)
	require.Empty(t, first.Header.Get("Idempotent-Replayed"))
	s.Clock.Advance(time.Hour)
	second := s.Do(t, withKey(token, body)).Want(t, http.StatusCreated)
	require.Equal(t, "true", second.Header.Get("Idempotent-Replayed"))
	require.Equal(t, first.Body, second.Body)
	require.Equal(t, first.Header.Get("Location"), second.Header.Get("Location"))
	require.NotEqual(t, first.Header.Get("X-Request-Id"), second.Header.Get("X-Request-Id"))
	s.Do(t, withKey(token, `{"fields":{"name":"Ewa"}}`)).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeIdempotencyKeyReused)
	elsewhere := s.Token(t, s.Workspace(t, "elsewhere"))
	other := s.Do(t, withKey(elsewhere, `{"fields":{"name":"Ewa"}}`)).Want(t, http.StatusCreated)
	require.Empty(t, other.Header.Get("Idempotent-Replayed"), "keys of another workspace are its own")
	require.Len(t, walkPages(t, s, token, "/leads", 0), 1)
	s.Clock.Advance(24 * time.Hour)
	require.Empty(t, s.Do(t, withKey(token, body)).Want(t, http.StatusCreated).Header.Get("Idempotent-Replayed"))
}

func TestIdempotencyKeyIsReusableAfterError(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	s.Post(t, token, "/tags", `{"name":"vip"}`).Want(t, http.StatusCreated)
	tag := func(name string) apitest.Response {
		r := withKey(token, fmt.Sprintf(`{"name":%q}`, name))
		r.Path = "/tags"
		return s.Do(t, r)
	}
	tag("").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	tag("vip").Problem(t, http.StatusConflict, api.ErrorCodeTagExists)
	require.Empty(t, tag("new").Want(t, http.StatusCreated).Header.Get("Idempotent-Replayed"))
	require.Equal(t, "true", tag("new").Want(t, http.StatusCreated).Header.Get("Idempotent-Replayed"))
}

func TestConcurrentRequestsWithSameKeyCreateOneLead(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	var callers sync.WaitGroup
	responses := make([]apitest.Response, 16)
	for i := range responses {
		callers.Go(func() { responses[i] = s.Do(t, withKey(token, `{"fields":{"name":"Anna"}}`)) })
	}
	callers.Wait()
	for _, response := range responses {
		if response.Status != http.StatusCreated {
			response.Problem(t, http.StatusConflict, api.ErrorCodeIdempotencyKeyInUse)
		}
	}
	require.Len(t, walkPages(t, s, token, "/leads", 0), 1)
}

func TestOperatorMessageWithKeyIsSentOnce(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	c := s.Conversation(t, rich, api.ConversationStatusHANDEDOFF)
	r := withKey(rich.Token, `{"content":"Hi"}`)
	r.Path = "/conversations/" + c.ID.String() + "/operator-message"
	message := apitest.Decode[api.Message](t, s.Do(t, r).Want(t, http.StatusCreated))
	s.Do(t, r).Want(t, http.StatusCreated)
	require.Equal(t, 1, countQueued(t, s, message.ID))
}

func TestReplicasShareRateLimitsInRedis(t *testing.T) {
	t.Parallel()
	redis := apitest.StartRedis(t).URL
	url := newDatabase(t)
	one := apitest.New(t, apitest.Options{DatabaseURL: url, Config: apitest.Config{RedisURL: redis}})
	two := apitest.New(t, apitest.Options{DatabaseURL: url, Config: apitest.Config{RedisURL: redis}})
	space := one.Workspace(t, "acme")
	one.Exec(t, "UPDATE workspaces SET rate_limit_per_minute = 3")
	token := one.Token(t, space)
	one.Get(t, token, "/leads").Want(t, http.StatusOK)
	two.Get(t, token, "/leads").Want(t, http.StatusOK)
	require.Equal(t, "0", one.Get(t, token, "/leads").Want(t, http.StatusOK).Header.Get("X-RateLimit-Remaining"))
	refused := two.Get(t, token, "/leads")
	refused.Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
}
