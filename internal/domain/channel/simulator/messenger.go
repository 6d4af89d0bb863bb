package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	api "github.com/avelto/convo/gen/api/model"
)

// Messenger is the Send API with one page
// (https://developers.facebook.com/docs/messenger-platform).
type Messenger struct{ Core }

// NewMessenger returns a Send API.
func NewMessenger() *Messenger { return &Messenger{} }

const (
	messengerPage  = "1067280970047460"
	messengerLimit = 2000 // characters of a text
)

// Type implements Simulator.
func (*Messenger) Type() api.ChannelType { return api.ChannelTypeMESSENGER }

// Settings implements Simulator.
func (*Messenger) Settings() Settings {
	return Settings{
		Config:      json.RawMessage(`{"pageId":"` + messengerPage + `"}`),
		Credentials: map[string]string{"pageAccessToken": metaToken, "appSecret": metaSecret, "verifyToken": metaVerify},
	}
}

// ServeHTTP implements Simulator.
func (s *Messenger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object, edge := metaPath(r)
	switch {
	case object == "download": // as a CDN, without a token
		if f, ok := s.File(edge); ok {
			w.Header().Set("Content-Type", f.ContentType)
			_, _ = w.Write(f.Content)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Query().Get("access_token") != metaToken:
		Write(w, metaUnauthorized())
	case object == messengerPage && edge == "messages":
		s.send(w, r)
	case object == messengerPage && edge == "subscribed_apps":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"success": true}})
	case object == messengerPage && edge == "":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"name": "Simulated page", "id": object}})
	default:
		Write(w, metaUnknown())
	}
}

// messengerMessage is the body of a call that sends a message, or a form's fields.
type messengerMessage struct {
	Recipient struct {
		ID string `json:"id"`
	} `json:"recipient"`
	Type    string `json:"messaging_type"`
	Tag     string `json:"tag"`
	Message struct {
		Text    string `json:"text"`
		ReplyTo struct {
			ID string `json:"mid"`
		} `json:"reply_to"`
		Attachment json.RawMessage `json:"attachment"`
	} `json:"message"`
}

func (s *Messenger) send(w http.ResponseWriter, r *http.Request) {
	var in messengerMessage
	var files []File
	var err error
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		if files, err = formFiles(r); err == nil {
			_ = json.Unmarshal([]byte(r.FormValue("recipient")), &in.Recipient)
			err = json.Unmarshal([]byte(r.FormValue("message")), &in.Message)
			in.Type, in.Tag = r.FormValue("messaging_type"), r.FormValue("tag")
		}
	} else {
		err = decode(r, &in)
	}
	m := Message{To: in.Recipient.ID, Text: in.Message.Text, ReplyTo: in.Message.ReplyTo.ID, Files: files}
	tagged := in.Type == "MESSAGE_TAG" && in.Tag == "HUMAN_AGENT"
	switch length := len(utf16.Encode([]rune(m.Text))); {
	case err != nil, m.To == "", length == 0 && len(files) == 0, in.Type != "RESPONSE" && !tagged:
		Write(w, metaError(http.StatusBadRequest, 100, 0, "(#100) Invalid parameter"))
		return
	case length >= messengerLimit:
		Write(w, metaError(http.StatusBadRequest, 100, 0, "(#100) Length of param message[text] must be less than or equal to 2000"))
		return
	}
	s.Serve(w, r, m, func(m Message, number int) (Message, Response) {
		if m.ID == "" {
			m.ID = "m_simulated" + strconv.Itoa(number)
		}
		return m, Response{Status: http.StatusOK, Body: map[string]any{"recipient_id": m.To, "message_id": m.ID}}
	}, messengerFault)
}

func messengerFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		return metaError(http.StatusBadRequest, 613, 0, "(#613) Calls to this api have exceeded the rate limit.")
	case Revoked:
		return metaUnauthorized()
	case OptedOut:
		return metaError(http.StatusBadRequest, 551, 1545041, "(#551) This person isn't available right now.")
	case WindowClosed:
		return metaError(http.StatusBadRequest, 10, 2018278, "(#10) This message is sent outside of allowed window.")
	case Refuse:
		return metaError(http.StatusBadRequest, 100, 2018008, "(#100) Failed to fetch the file from the url.")
	}
	return metaError(http.StatusInternalServerError, 2, 0, "Service temporarily unavailable")
}

// Sign implements Simulator.
func (*Messenger) Sign(hook string, _ time.Time, body []byte) Request { return metaSigned(hook, body) }

// Hook implements Simulator. Meta sends what is new in one request.
func (s *Messenger) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	var messaging []any
	for _, e := range events {
		milliseconds := unix(e.At, at).UnixMilli()
		entry := map[string]any{"sender": map[string]any{"id": e.From}, "recipient": map[string]any{"id": messengerPage}, "timestamp": milliseconds}
		switch e.Kind {
		case Wrote:
			entry["message"] = s.message(e)
		case Edited:
			entry["message_edit"] = map[string]any{"mid": "m_" + e.ID, "text": e.Text, "num_edit": 1}
		case Garbled:
			entry["message"] = "not an object"
		case Delivered:
			entry["delivery"] = map[string]any{"mids": []string{e.ID}, "watermark": milliseconds}
		case Read:
			entry["read"] = map[string]any{"watermark": milliseconds}
		case Failed, Blocked, Unblocked, Interrupted:
			return Request{}, ErrUnsupported
		}
		messaging = append(messaging, entry)
	}
	return s.Sign(hook, at, encode(map[string]any{"object": "page", "entry": []any{
		map[string]any{"id": messengerPage, "time": at.UnixMilli(), "messaging": messaging},
	}})), nil
}

func (s *Messenger) message(e Event) map[string]any {
	message := map[string]any{"mid": "m_" + e.ID, "text": e.Text}
	if e.ReplyTo != "" {
		message["reply_to"] = map[string]any{"mid": e.ReplyTo}
	}
	if e.File != nil {
		message["attachments"] = []any{map[string]any{"type": "file", "payload": map[string]any{"url": s.URL() + "/v23.0/download/" + s.AddFile(*e.File)}}}
	}
	return message
}
