package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	api "github.com/avelto/convo/gen/api/model"
)

// WhatsApp is the Cloud API with one business number
// (https://developers.facebook.com/docs/whatsapp/cloud-api).
type WhatsApp struct{ Core }

// NewWhatsApp returns a Cloud API.
func NewWhatsApp() *WhatsApp { return &WhatsApp{} }

const (
	whatsAppNumber  = "106540352242922"
	whatsAppAccount = "102290129340398"
	whatsAppLimit   = 4096 // characters of a text
)

// Type implements Simulator.
func (*WhatsApp) Type() api.ChannelType { return api.ChannelTypeWHATSAPP }

// Settings implements Simulator.
func (*WhatsApp) Settings() Settings {
	return Settings{
		Config:      json.RawMessage(`{"phoneNumberId":"` + whatsAppNumber + `","businessAccountId":"` + whatsAppAccount + `"}`),
		Credentials: map[string]string{"accessToken": metaToken, "appSecret": metaSecret, "verifyToken": metaVerify},
	}
}

// ServeHTTP implements Simulator.
func (s *WhatsApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object, edge := metaPath(r)
	switch {
	case r.Header.Get("Authorization") != "Bearer "+metaToken:
		Write(w, metaUnauthorized())
	case object == "download":
		if f, ok := s.File(edge); ok {
			w.Header().Set("Content-Type", f.ContentType)
			_, _ = w.Write(f.Content)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	case object == whatsAppNumber && r.Method == http.MethodGet:
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"verified_name": "Simulated", "display_phone_number": "+48 100 000 000", "id": object}})
	case object == whatsAppNumber && edge == "media":
		s.upload(w, r)
	case object == whatsAppNumber && edge == "messages":
		s.send(w, r)
	case object == whatsAppAccount && edge == "message_templates":
		s.templates(w, r)
	default:
		s.media(w, r, object)
	}
}

func (s *WhatsApp) media(w http.ResponseWriter, r *http.Request, id string) {
	f, ok := s.File(id)
	if !ok {
		Write(w, metaUnknown())
		return
	}
	Write(w, Response{Status: http.StatusOK, Body: map[string]any{
		"id": id, "mime_type": f.ContentType, "file_size": len(f.Content), "messaging_product": "whatsapp", "url": "http://" + r.Host + "/v23.0/download/" + id,
	}})
}

func (s *WhatsApp) upload(w http.ResponseWriter, r *http.Request) {
	files, err := formFiles(r)
	if err != nil || len(files) != 1 || r.FormValue("messaging_product") != "whatsapp" {
		Write(w, metaUnknown())
		return
	}
	Write(w, Response{Status: http.StatusOK, Body: map[string]any{"id": s.AddFile(files[0])}})
}

// whatsAppMessage is a message to send.
type whatsAppMessage struct {
	Product   string `json:"messaging_product"`
	To        string `json:"to"`
	Recipient string `json:"recipient"`
	Type      string `json:"type"`
	Text      struct {
		Body string `json:"body"`
	} `json:"text"`
	Context struct {
		ID string `json:"message_id"`
	} `json:"context"`
	Image, Audio, Video, Document *struct {
		ID string `json:"id"`
	}
	Template whatsAppTemplateMessage `json:"template"`
}

func (s *WhatsApp) send(w http.ResponseWriter, r *http.Request) {
	var in whatsAppMessage
	if err := decode(r, &in); err != nil || in.Product != "whatsapp" || (in.To == "") == (in.Recipient == "") {
		Write(w, metaUnknown())
		return
	}
	m := Message{To: in.To + in.Recipient, Text: in.Text.Body, ReplyTo: in.Context.ID}
	for _, one := range []*struct {
		ID string `json:"id"`
	}{in.Image, in.Audio, in.Video, in.Document} {
		if one == nil {
			continue
		}
		f, ok := s.File(one.ID)
		if !ok {
			Write(w, metaUnknown())
			return
		}
		m.Files = append(m.Files, f)
	}
	switch in.Type {
	case "text":
		if m.Text == "" || utf8.RuneCountInString(m.Text) > whatsAppLimit {
			Write(w, metaError(http.StatusBadRequest, 100, 0, "(#100) Invalid parameter"))
			return
		}
	case "template":
		text, refused := in.Template.fill()
		if refused != nil {
			Write(w, *refused)
			return
		}
		m.Text, m.Template = text, in.Template.Name
	}
	s.Serve(w, r, m, whatsAppAccepted, whatsAppFault)
}

func whatsAppAccepted(m Message, number int) (Message, Response) {
	if m.ID == "" {
		m.ID = "wamid.SIMULATED" + strconv.Itoa(number)
	}
	return m, Response{Status: http.StatusOK, Body: map[string]any{
		"messaging_product": "whatsapp", "contacts": []any{map[string]any{"input": m.To, "wa_id": m.To}}, "messages": []any{map[string]any{"id": m.ID}},
	}}
}

func whatsAppFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		return metaError(http.StatusBadRequest, 131056, 0, "(#131056) (Business Account, Consumer Account) pair rate limit hit")
	case Revoked:
		return metaUnauthorized()
	case OptedOut:
		return metaError(http.StatusBadRequest, 131050, 0, "(#131050) User has stopped marketing messages")
	case WindowClosed:
		return metaError(http.StatusBadRequest, 131047, 0, "(#131047) Re-engagement message")
	case Refuse:
		return metaError(http.StatusBadRequest, 131051, 0, "(#131051) Unsupported message type")
	}
	return metaError(http.StatusInternalServerError, 131000, 0, "(#131000) Something went wrong")
}

// Sign implements Simulator.
func (*WhatsApp) Sign(hook string, _ time.Time, body []byte) Request { return metaSigned(hook, body) }

// Hook implements Simulator. Meta sends what is new in one request.
func (s *WhatsApp) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	value := map[string]any{
		"messaging_product": "whatsapp", "metadata": map[string]any{"display_phone_number": "48100000000", "phone_number_id": whatsAppNumber},
	}
	add := func(name string, entry any) {
		list, _ := value[name].([]any)
		value[name] = append(list, entry)
	}
	for _, e := range events {
		seconds := strconv.FormatInt(unix(e.At, at).Unix(), 10)
		switch e.Kind {
		case Wrote, Edited:
			add("contacts", map[string]any{"wa_id": e.From, "profile": map[string]any{"name": e.Name}})
			add("messages", s.message(e, seconds))
		case Garbled:
			add("messages", map[string]any{"id": e.ID, "from": []any{"not", "a", "number"}})
		case Delivered, Read:
			add("statuses", map[string]any{
				"id": e.ID, "status": string(e.Kind), "timestamp": seconds, "recipient_id": e.From,
				"pricing": map[string]any{"billable": true, "pricing_model": "PMP", "category": "service"},
			})
		case Failed:
			add("statuses", map[string]any{"id": e.ID, "status": "failed", "timestamp": seconds, "recipient_id": e.From, "errors": []any{
				map[string]any{"code": 131026, "title": "Message undeliverable"},
			}})
		case Blocked, Unblocked:
			choice := map[Kind]string{Blocked: "stop", Unblocked: "resume"}[e.Kind]
			add("user_preferences", map[string]any{"wa_id": e.From, "category": "marketing_messages", "value": choice, "timestamp": unix(e.At, at).Unix()})
		case Interrupted:
			return Request{}, ErrUnsupported
		}
	}
	return s.Sign(hook, at, encode(map[string]any{"object": "whatsapp_business_account", "entry": []any{
		map[string]any{"id": whatsAppAccount, "changes": []any{map[string]any{"field": "messages", "value": value}}},
	}})), nil
}

func (s *WhatsApp) message(e Event, seconds string) map[string]any {
	message := map[string]any{"id": "wamid." + e.ID, "from": e.From, "timestamp": seconds, "type": "text", "text": map[string]any{"body": e.Text}}
	if e.ReplyTo != "" {
		message["context"] = map[string]any{"id": e.ReplyTo}
	}
	switch {
	case e.Kind == Edited:
		message["id"], message["type"] = "wamid.edit"+e.ID, "edit"
		message["edit"] = map[string]any{"original_message_id": "wamid." + e.ID, "message": map[string]any{"type": "text", "text": map[string]any{"body": e.Text}}}
		delete(message, "text")
	case e.File != nil:
		delete(message, "text")
		message["type"] = "document"
		message["document"] = map[string]any{"id": s.AddFile(*e.File), "mime_type": e.File.ContentType, "filename": e.File.Name, "caption": e.Text}
	}
	return message
}
