package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	api "github.com/avelto/convo/gen/api/model"
)

const (
	slackToken  = "xoxb-simulated-0123456789"     //nolint:gosec // accepted by the simulator alone
	slackSecret = "simulated-signing-secret-0123" //nolint:gosec // accepted by the simulator alone
	slackTeam   = "T0SIMULATED"
	// slackLimit is the longest text of a message, in characters.
	slackLimit = 40_000
)

// Slack is a Web API (https://api.slack.com/web) with one app in one workspace.
type Slack struct {
	Core

	mu    sync.Mutex
	codes map[string]string // of installations in progress, with their redirect URLs
}

// NewSlack returns a Web API.
func NewSlack() *Slack { return &Slack{} }

// Type implements Simulator.
func (*Slack) Type() api.ChannelType { return api.ChannelTypeSLACK }

// Settings implements Simulator.
func (*Slack) Settings() Settings {
	return Settings{
		Config:      json.RawMessage(`{"teamId":"` + slackTeam + `","clientId":"` + slackClient + `"}`),
		Credentials: map[string]string{"botToken": slackToken, "signingSecret": slackSecret, "clientSecret": slackClientSecret},
	}
}

// ServeHTTP implements Simulator.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, slackUploads); ok {
		s.upload(w, r, id) // the URL authorizes
		return
	}
	if s.install(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+slackToken {
		Write(w, slackError("invalid_auth"))
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/files-pri/"); ok {
		s.download(w, id)
		return
	}
	switch r.URL.Path {
	case "/api/auth.test":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"ok": true, "team": "Simulated", "team_id": slackTeam, "user": "bot", "bot_id": "B0SIMULATED"}})
	case "/api/chat.postMessage":
		s.post(w, r)
	case "/api/files.getUploadURLExternal":
		s.reserve(w, r)
	case "/api/files.completeUploadExternal":
		s.complete(w, r)
	default:
		Write(w, slackError("unknown_method"))
	}
}

func (s *Slack) download(w http.ResponseWriter, id string) {
	f, ok := s.File(id)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.ContentType)
	_, _ = w.Write(f.Content)
}

func (s *Slack) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Channel string `json:"channel"`
		Text    string `json:"text"`
		Thread  string `json:"thread_ts"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(&in)
	text := strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(in.Text)
	switch {
	case err != nil:
		Write(w, slackError("invalid_json"))
	case in.Channel == "":
		Write(w, slackError("channel_not_found"))
	case text == "":
		Write(w, slackError("no_text"))
	case len([]rune(text)) > slackLimit:
		Write(w, slackError("msg_too_long"))
	default:
		s.Serve(w, r, Message{To: in.Channel, Text: text, Thread: in.Thread}, slackAccepted, slackFault)
	}
}

func slackAccepted(m Message, number int) (Message, Response) {
	if m.ID == "" {
		m.ID = fmt.Sprintf("1700000000.%06d", number)
	}
	return m, Response{Status: http.StatusOK, Body: map[string]any{"ok": true, "channel": m.To, "ts": m.ID, "message": map[string]any{"text": m.Text, "bot_id": "B0SIMULATED"}}}
}

func slackFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		limited := slackError("ratelimited")
		limited.Status, limited.Header = http.StatusTooManyRequests, http.Header{"Retry-After": {"30"}}
		return limited
	case Revoked:
		return slackError("token_revoked")
	case OptedOut:
		return slackError("channel_not_found")
	case Refuse, WindowClosed:
		return slackError("restricted_action")
	}
	overloaded := slackError("service_unavailable")
	overloaded.Status = http.StatusServiceUnavailable
	return overloaded
}

// slackError is a failure, which Slack reports with status 200.
func slackError(code string) Response {
	return Response{Status: http.StatusOK, Body: map[string]any{"ok": false, "error": code}}
}

// Sign implements Simulator.
func (*Slack) Sign(hook string, at time.Time, body []byte) Request {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(slackSecret))
	mac.Write([]byte("v0:" + stamp + ":" + string(body)))
	return Request{Method: http.MethodPost, URL: hook, Body: body, Header: http.Header{
		"Content-Type": {"application/json"}, "X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))},
	}}
}

// Hook implements Simulator. A request has one event, in the direct messages of its contact:
// the user's ID after a D.
func (s *Slack) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	if len(events) != 1 {
		return Request{}, ErrUnsupported
	}
	e := events[0]
	ts, user := e.ID+".000001", strings.TrimPrefix(e.From, "D")
	message := map[string]any{"type": "message", "user": user, "text": e.Text, "ts": ts, "user_profile": map[string]any{"real_name": e.Name}}
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		if e.File != nil {
			message["subtype"] = "file_share"
			message["files"] = []any{map[string]any{
				"name": e.File.Name, "mimetype": e.File.ContentType, "size": len(e.File.Content), "url_private": "https://files.slack.com/files-pri/" + s.AddFile(*e.File),
			}}
		}
	case Edited:
		message["edited"] = map[string]any{"user": user, "ts": fmt.Sprintf("%d.000000", at.Unix())}
		message = map[string]any{"type": "message", "subtype": "message_changed", "message": message}
	default:
		return Request{}, ErrUnsupported
	}
	message["channel"], message["channel_type"], message["event_ts"] = "D"+user, "im", ts
	return s.Sign(hook, at, encode(map[string]any{
		"type": "event_callback", "team_id": slackTeam, "event_id": fmt.Sprintf("Ev%s%d", e.ID, at.Unix()), "event_time": at.Unix(), "event": message,
	})), nil
}
