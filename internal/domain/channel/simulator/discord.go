package simulator

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	api "github.com/avelto/convo/gen/api/model"
)

const (
	discordToken = "simulated.bot-token-0123456789"
	// discordLimit is the longest text of a message, in UTF-16 code units.
	discordLimit = 2000
	// attachmentsPath is where files of messages are.
	attachmentsPath = "/attachments/"
)

// Discord is an HTTP API and a Gateway (https://discord.com/developers/docs) with one bot.
// Contacts write by a command until the bot has connected to the Gateway. The room of direct
// messages has the ID of its contact.
type Discord struct {
	Core

	key     ed25519.PrivateKey
	gateway gateway
}

// NewDiscord returns an HTTP API.
func NewDiscord() *Discord {
	return &Discord{key: ed25519.NewKeyFromSeed([]byte("a seed of the simulated Discord!"))}
}

// Type implements Simulator.
func (*Discord) Type() api.ChannelType { return api.ChannelTypeDISCORD }

// Settings implements Simulator.
func (s *Discord) Settings() Settings {
	public, _ := s.key.Public().(ed25519.PublicKey)
	return Settings{
		Config:      json.RawMessage(`{"publicKey":"` + hex.EncodeToString(public) + `"}`),
		Credentials: map[string]string{"botToken": discordToken},
	}
}

// ServeHTTP implements Simulator.
func (s *Discord) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	room, isMessage := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/messages"), "/channels/")
	switch {
	case strings.TrimRight(r.URL.Path, "/") == gatewayPath:
		s.gateway.serve(w, r, gatewayURL(s.URL(), r))
	case strings.HasPrefix(r.URL.Path, attachmentsPath):
		s.download(w, strings.TrimPrefix(r.URL.Path, attachmentsPath))
	case r.Header.Get("Authorization") != "Bot "+discordToken:
		Write(w, discordError(http.StatusUnauthorized, 0, "401: Unauthorized"))
	case r.URL.Path == "/users/@me":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"id": "1", "username": "simulated", "bot": true}})
	case r.URL.Path == "/gateway/bot":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"url": gatewayURL(s.URL(), r), "shards": 1, "session_start_limit": map[string]any{
			"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1,
		}}})
	case isMessage && r.Method == http.MethodPost:
		s.post(w, r, room)
	default:
		Write(w, discordError(http.StatusNotFound, 0, "404: Not Found"))
	}
}

func (s *Discord) post(w http.ResponseWriter, r *http.Request, room string) {
	m := Message{To: room}
	payload := io.LimitReader(r.Body, maxUpload)
	var err error
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		m.Files, err = formFiles(r)
		payload = strings.NewReader(r.FormValue("payload_json"))
	}
	var in struct {
		Content   string `json:"content"`
		Nonce     string `json:"nonce"`
		Enforce   bool   `json:"enforce_nonce"`
		Reference struct {
			ID string `json:"message_id"`
		} `json:"message_reference"`
	}
	if err == nil {
		err = json.NewDecoder(payload).Decode(&in)
	}
	m.Text, m.ReplyTo = in.Content, in.Reference.ID
	if in.Enforce {
		m.Key = in.Nonce
	}
	switch {
	case err != nil, len(in.Nonce) > 25, len(utf16.Encode([]rune(m.Text))) > discordLimit:
		Write(w, discordError(http.StatusBadRequest, 50035, "Invalid Form Body"))
	case m.Text == "" && len(m.Files) == 0:
		Write(w, discordError(http.StatusBadRequest, 50006, "Cannot send an empty message"))
	default:
		s.Serve(w, r, m, discordAccepted, discordFault)
	}
}

func discordAccepted(m Message, number int) (Message, Response) {
	if m.ID == "" {
		m.ID = strconv.Itoa(9_000_000 + number)
	}
	return m, Response{Status: http.StatusOK, Body: map[string]any{"id": m.ID, "channel_id": m.To, "content": m.Text, "nonce": m.Key}}
}

func discordFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		return Response{Status: http.StatusTooManyRequests, Header: http.Header{"X-Ratelimit-Scope": {"user"}, "Retry-After": {"8"}}, Body: map[string]any{
			"message": "You are being rate limited.", "retry_after": 7.5, "global": false,
		}}
	case Revoked:
		return discordError(http.StatusUnauthorized, 0, "401: Unauthorized")
	case OptedOut:
		return discordError(http.StatusForbidden, 50007, "Cannot send messages to this user")
	case Refuse, WindowClosed:
		return discordError(http.StatusBadRequest, 50035, "Invalid Form Body")
	}
	return discordError(http.StatusServiceUnavailable, 130000, "API resource is currently overloaded. Try again a little later.")
}

func discordError(status, code int, message string) Response {
	return Response{Status: status, Body: map[string]any{"code": code, "message": message}}
}

// Sign implements Simulator.
func (s *Discord) Sign(hook string, at time.Time, body []byte) Request {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return Request{Method: http.MethodPost, URL: hook, Body: body, Header: http.Header{
		"Content-Type": {"application/json"}, "X-Signature-Timestamp": {stamp},
		"X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(s.key, append([]byte(stamp), body...)))},
	}}
}

// Hook implements Simulator: a command with one text.
func (s *Discord) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	if len(events) != 1 || events[0].Kind != Wrote || events[0].File != nil {
		return Request{}, ErrUnsupported
	}
	e := events[0]
	return s.Sign(hook, at, encode(map[string]any{
		"id": e.ID, "type": 2, "channel_id": e.From, "user": map[string]any{"id": e.From, "username": "contact", "global_name": e.Name},
		"data": map[string]any{"name": "ask", "options": []any{map[string]any{"name": "question", "type": 3, "value": e.Text}}},
	})), nil
}

func (s *Discord) download(w http.ResponseWriter, id string) {
	f, ok := s.File(id)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.ContentType)
	_, _ = w.Write(f.Content)
}

// Fail implements Simulator. Faults of connections happen immediately.
func (s *Discord) Fail(faults ...Fault) {
	for _, fault := range faults {
		switch fault { //nolint:exhaustive // the others are of calls
		case Reconnect:
			s.gateway.endAll(gatewayPayload{Op: opReconnect}, true)
		case InvalidSession:
			s.gateway.endAll(gatewayPayload{Op: opInvalidSession, Data: false}, false)
		default:
			s.Core.Fail(fault)
		}
	}
}

// Dispatch reports an event over the Gateway. It fails with ErrNoHook if the bot has not
// connected to it, and with ErrUnsupported.
func (s *Discord) Dispatch(e Event) error {
	message := map[string]any{
		"id": e.ID, "type": 0, "channel_id": e.From, "content": e.Text, "timestamp": e.At.UTC().Format(time.RFC3339Nano),
		"author": map[string]any{"id": e.From, "username": "contact", "global_name": e.Name},
	}
	kind := "MESSAGE_CREATE"
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		if e.File != nil {
			message["attachments"] = []any{map[string]any{
				"filename": e.File.Name, "content_type": e.File.ContentType, "size": len(e.File.Content), "url": "https://cdn.discordapp.com" + attachmentsPath + s.AddFile(*e.File),
			}}
		}
		if e.ReplyTo != "" {
			message["type"], message["message_reference"] = 19, map[string]any{"channel_id": e.From, "message_id": e.ReplyTo}
		}
	case Edited:
		kind, message["edited_timestamp"] = "MESSAGE_UPDATE", message["timestamp"]
	default:
		return ErrUnsupported
	}
	if !s.gateway.dispatch(kind, message) {
		return ErrNoHook
	}
	return nil
}
