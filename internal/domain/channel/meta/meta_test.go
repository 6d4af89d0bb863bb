package meta_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

func TestTheHandshakeIsForThoseWhoKnowTheToken(t *testing.T) {
	t.Parallel()
	c := provider.Channel{Credentials: map[string]string{meta.VerifyToken: "a secret token", meta.AppSecret: "secret"}}
	ask := func(c provider.Channel, mode, token, challenge string) (*provider.Reply, error) {
		return meta.Verify(c, provider.Request{Method: http.MethodGet, Query: url.Values{
			"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {challenge},
		}})
	}
	reply, err := ask(c, "subscribe", "a secret token", "1158201444")
	require.NoError(t, err)
	require.Equal(t, "1158201444", string(reply.Body))
	require.Equal(t, "text/plain; charset=utf-8", reply.ContentType, "a browser runs nothing of it")
	for _, wrong := range [][2]string{{"subscribe", ""}, {"subscribe", "a secret toke"}, {"", "a secret token"}} {
		_, err := ask(c, wrong[0], wrong[1], "1")
		require.ErrorIs(t, err, provider.ErrUnauthenticated)
	}
	_, err = ask(provider.Channel{}, "subscribe", "", "1")
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a token accepts none")
	_, err = meta.Verify(provider.Channel{}, provider.Request{Method: http.MethodPost, Header: http.Header{}})
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a secret accepts nothing")
}

func TestErrorsAreExplained(t *testing.T) {
	t.Parallel()
	graph := meta.Graph{Kind: func(code, _ int) (provider.Kind, bool) { return provider.WindowClosed, code == 131047 }}
	for name, c := range map[string]struct {
		failure meta.Failure
		status  int
		kind    provider.Kind
		code    string
	}{
		"of the type":      {meta.Failure{Code: 131047}, http.StatusBadRequest, provider.WindowClosed, "131047"},
		"token":            {meta.Failure{Code: 190, Subcode: 463}, http.StatusUnauthorized, provider.Credentials, "190/463"},
		"permission":       {meta.Failure{Code: 230}, http.StatusForbidden, provider.Credentials, "230"},
		"rate":             {meta.Failure{Code: 613}, http.StatusBadRequest, provider.Retryable, "613"},
		"too many":         {meta.Failure{}, http.StatusTooManyRequests, provider.Retryable, "429"},
		"server":           {meta.Failure{}, http.StatusBadGateway, provider.Retryable, "502"},
		"invalid":          {meta.Failure{Code: 100}, http.StatusBadRequest, provider.Permanent, "100"},
		"delivery failure": {meta.Failure{Code: 131026}, 0, provider.Permanent, "131026"},
	} {
		failed := graph.Explain(c.failure, c.status)
		require.Equal(t, c.kind, failed.Kind, name)
		require.Equal(t, c.code, failed.Code, name)
	}
}

// TestTokensAreSentToMetaAlone lets a response name a file elsewhere.
func TestTokensAreSentToMetaAlone(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"https://evil.example/a", "http://lookaside.fbsbx.com/a", "https://fbsbx.com.evil.example/a", "https://evilfbsbx.com/", "://"} {
		_, err := meta.Graph{}.Download(t.Context(), provider.Channel{}, from, http.Header{"Authorization": {"Bearer secret"}})
		require.ErrorContains(t, err, "not at a server of Meta", from)
	}
}

func TestTheVersionIsThatOfTheConfig(t *testing.T) {
	t.Parallel()
	require.Equal(t, "v24.0", meta.Version([]byte(`{"apiVersion":"v24.0"}`)))
	require.Equal(t, "v23.0", meta.Version([]byte(`{}`)))
}
