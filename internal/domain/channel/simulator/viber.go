package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	api "github.com/avelto/convo/gen/api/model"
)

// Viber is the REST API with one bot (https://developers.viber.com/docs/api/rest-bot-api).
type Viber struct{ Core }

// NewViber returns a REST API.
func NewViber() *Viber { return &Viber{} }

const (
	viberToken = "445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9" //nolint:gosec // accepted by the simulator alone
	viberLimit = 7000                                                 // characters of a text
	viberSize  = 30 << 10
	viberName  = 28
	// viberTokens are where the tokens of messages begin: they do not fit into a float.
	viberTokens = 4_912_661_846_655_238_145
)

// Statuses of the REST API.
const (
	viberInvalidToken    = 2
	viberBadData         = 3
	viberNotSubscribed   = 6
	viberTooManyRequests = 12
)

// Type implements Simulator.
func (*Viber) Type() api.ChannelType { return api.ChannelTypeVIBER }

// Settings implements Simulator.
func (*Viber) Settings() Settings {
	return Settings{Config: json.RawMessage(`{"senderName":"Shop","greeting":"Hello!"}`), Credentials: map[string]string{"authToken": viberToken}}
}

// ServeHTTP implements Simulator.
func (s *Viber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		if f, ok := s.File(id); ok {
			_, _ = w.Write(f.Content)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Header.Get("X-Viber-Auth-Token") != viberToken {
		Write(w, viberStatus(viberInvalidToken, "invalidAuthToken"))
		return
	}
	switch r.URL.Path {
	case "/pa/send_message":
		s.send(w, r)
	case "/pa/set_webhook":
		var in struct {
			URL string `json:"url"`
		}
		if decode(r, &in) != nil {
			Write(w, viberStatus(viberBadData, "badData"))
			return
		}
		s.Registered(in.URL)
		Write(w, viberStatus(0, "ok"))
	case "/pa/get_account_info":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"status": 0, "status_message": "ok", "id": "pa:75346594275468546724", "name": "Simulated bot"}})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *Viber) send(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Receiver string `json:"receiver"`
		Type     string `json:"type"`
		Text     string `json:"text"`
		Sender   struct {
			Name string `json:"name"`
		} `json:"sender"`
	}
	err := decode(r, &in)
	switch {
	case err != nil, in.Receiver == "", in.Type != "text", in.Text == "", in.Sender.Name == "", len([]rune(in.Sender.Name)) > viberName,
		len(utf16.Encode([]rune(in.Text))) > viberLimit, r.ContentLength > viberSize:
		Write(w, viberStatus(viberBadData, "badData"))
		return
	}
	s.Serve(w, r, Message{To: in.Receiver, Text: in.Text}, func(m Message, number int) (Message, Response) {
		if m.ID == "" {
			m.ID = strconv.Itoa(viberTokens + number)
		}
		return m, Response{Status: http.StatusOK, Body: map[string]any{"status": 0, "status_message": "ok", "message_token": json.Number(m.ID)}}
	}, viberFault)
}

func viberFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		return viberStatus(viberTooManyRequests, "tooManyRequests")
	case Revoked:
		return viberStatus(viberInvalidToken, "invalidAuthToken")
	case OptedOut:
		return viberStatus(viberNotSubscribed, "receiverNotSubscribed")
	case Refuse, WindowClosed:
		return viberStatus(viberBadData, "badData")
	}
	return Response{Status: http.StatusInternalServerError, Body: "<html>"}
}

// viberStatus is a response. Failures have the status 200 as well.
func viberStatus(status int, message string) Response {
	return Response{Status: http.StatusOK, Body: map[string]any{"status": status, "status_message": message}}
}

// Sign implements Simulator.
func (*Viber) Sign(hook string, _ time.Time, body []byte) Request {
	mac := hmac.New(sha256.New, []byte(viberToken))
	mac.Write(body)
	return Request{Method: http.MethodPost, URL: hook, Body: body, Header: http.Header{
		"Content-Type": {"application/json"}, "X-Viber-Content-Signature": {hex.EncodeToString(mac.Sum(nil))},
	}}
}

// Hook implements Simulator. Viber sends one event in a request.
func (s *Viber) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	if len(events) != 1 {
		return Request{}, ErrUnsupported
	}
	e := events[0]
	body := map[string]any{"timestamp": unix(e.At, at).UnixMilli(), "message_token": json.Number(e.ID), "user_id": e.From}
	user := map[string]any{"id": e.From, "name": e.Name}
	switch e.Kind {
	case Wrote:
		id, _ := strconv.ParseInt(e.ID, 10, 64)
		body["event"], body["sender"], body["message_token"] = "message", user, json.Number(strconv.FormatInt(viberTokens-1000+id, 10))
		message := map[string]any{"type": "text", "text": e.Text}
		if e.File != nil {
			message = map[string]any{"type": "file", "text": e.Text, "file_name": e.File.Name, "size": len(e.File.Content), "media": s.URL() + "/files/" + s.AddFile(*e.File)}
		}
		body["message"] = message
	case Delivered:
		body["event"] = "delivered"
	case Read:
		body["event"] = "seen"
	case Failed:
		body["event"], body["desc"] = "failed", "failure description"
	case Blocked:
		body["event"] = "unsubscribed"
	case Unblocked:
		body["event"], body["user"] = "subscribed", user
	case Edited, Garbled, Interrupted:
		return Request{}, ErrUnsupported
	}
	return s.Sign(hook, at, encode(body)), nil
}
