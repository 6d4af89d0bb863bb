package simulator

import (
	"crypto/rand"
	"net/http"
	"net/url"
)

const (
	slackClient       = "1234567890.1234567890"
	slackClientSecret = "simulated-client-secret-0123"
)

// install serves what installs the app, which everyone permits immediately. It reports whether a
// request was for that.
func (s *Slack) install(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/oauth/v2/authorize":
		s.permit(w, r)
	case "/api/oauth.v2.access":
		Write(w, s.grant(r))
	default:
		return false
	}
	return true
}

// permit leads the browser back with a code.
func (s *Slack) permit(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || query.Get("client_id") != slackClient || query.Get("scope") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	if s.codes == nil {
		s.codes = map[string]string{}
	}
	s.codes[code] = query.Get("redirect_uri")
	s.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {query.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // to the one who asks, as Slack does for the URLs of an app
}

// grant exchanges a code, which is used once.
func (s *Slack) grant(r *http.Request) Response {
	id, secret, _ := r.BasicAuth()
	code := r.PostFormValue("code")
	s.mu.Lock()
	redirect, known := s.codes[code]
	delete(s.codes, code)
	s.mu.Unlock()
	switch {
	case id != slackClient:
		return slackError("invalid_client_id")
	case secret != slackClientSecret:
		return slackError("bad_client_secret")
	case !known:
		return slackError("invalid_code")
	case redirect != r.PostFormValue("redirect_uri"):
		return slackError("bad_redirect_uri")
	}
	return Response{Status: http.StatusOK, Body: map[string]any{
		"ok": true, "access_token": slackToken, "token_type": "bot", "scope": "chat:write", "bot_user_id": "U0SIMULATED", "app_id": "A0SIMULATED",
		"team": map[string]any{"id": slackTeam, "name": "Simulated"}, "authed_user": map[string]any{"id": "U0INSTALLER"},
	}}
}
