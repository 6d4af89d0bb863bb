package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	api "github.com/avelto/convo/gen/api/model"
)

// SMS is Twilio's API for text messages (https://www.twilio.com/docs/messaging) with one
// number.
type SMS struct{ Core }

// NewSMS returns an API.
func NewSMS() *SMS { return &SMS{} }

// smsLimit is the longest text of a message, in UTF-16 code units.
const smsLimit = 1600

// Type implements Simulator.
func (*SMS) Type() api.ChannelType { return api.ChannelTypeSMS }

// Settings implements Simulator.
func (*SMS) Settings() Settings {
	return Settings{
		Config:      json.RawMessage(`{"accountSid":"` + twilioAccount + `","from":"` + twilioNumber + `"}`),
		Credentials: map[string]string{"authToken": twilioToken},
	}
}

// ServeHTTP implements Simulator.
func (s *SMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, form, ok := twilioCall(w, r)
	if !ok {
		return
	}
	if at := strings.LastIndex(path, "/Media/ME"); at >= 0 {
		s.download(w, strings.TrimLeft(path[at+len("/Media/ME"):], "0"))
		return
	}
	m := Message{To: form.Get("To"), Text: form.Get("Body")}
	switch {
	case path != "/Messages.json":
		Write(w, twilioError(http.StatusNotFound, 20404, "The requested resource was not found"))
	case !strings.HasPrefix(m.To, "+"):
		Write(w, twilioError(http.StatusBadRequest, 21211, "Invalid 'To' Phone Number"))
	case m.Text == "":
		Write(w, twilioError(http.StatusBadRequest, 21602, "Message body is required"))
	case len(utf16.Encode([]rune(m.Text))) > smsLimit:
		Write(w, twilioError(http.StatusBadRequest, 21617, "The concatenated message body exceeds the 1600 character limit"))
	default:
		s.Serve(w, r, m, smsAccepted, twilioFault)
	}
}

func (s *SMS) download(w http.ResponseWriter, id string) {
	f, ok := s.File(id)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.ContentType)
	_, _ = w.Write(f.Content)
}

func smsAccepted(m Message, number int) (Message, Response) {
	if m.ID == "" {
		m.ID = twilioSID("SM", strconv.Itoa(number))
	}
	return m, Response{Status: http.StatusCreated, Body: map[string]any{"sid": m.ID, "to": m.To, "from": twilioNumber, "body": m.Text, "status": "queued", "error_code": nil}}
}

// Hook implements Simulator. A request has one event.
func (s *SMS) Hook(hook string, _ time.Time, events ...Event) (Request, error) {
	if len(events) != 1 {
		return Request{}, ErrUnsupported
	}
	e := events[0]
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		return twilioRequest(hook, s.wrote(e, e.Text)), nil
	case Blocked:
		return twilioRequest(hook, s.wrote(e, "STOP")), nil
	case Unblocked:
		return twilioRequest(hook, s.wrote(e, "START")), nil
	case Delivered:
		return twilioRequest(hook, smsStatus(e, "delivered", "")), nil
	case Failed:
		return twilioRequest(hook, smsStatus(e, "undelivered", "30008")), nil
	}
	return Request{}, ErrUnsupported
}

func (s *SMS) wrote(e Event, text string) url.Values {
	sid := twilioSID("SM", e.ID)
	form := url.Values{
		"MessageSid": {sid}, "SmsSid": {sid}, "SmsMessageSid": {sid}, "AccountSid": {twilioAccount}, "From": {e.From}, "To": {twilioNumber},
		"Body": {text}, "NumMedia": {"0"}, "NumSegments": {"1"}, "SmsStatus": {"received"}, "ApiVersion": {"2010-04-01"},
	}
	if e.File != nil {
		form.Set("NumMedia", "1")
		form.Set("MediaContentType0", e.File.ContentType)
		form.Set("MediaUrl0", "https://api.twilio.com"+twilioPrefix+"/Messages/"+twilioSID("MM", e.ID)+"/Media/"+twilioSID("ME", s.AddFile(*e.File)))
	}
	return form
}

func smsStatus(e Event, status, code string) url.Values {
	form := url.Values{
		"MessageSid": {e.ID}, "SmsSid": {e.ID}, "AccountSid": {twilioAccount}, "From": {twilioNumber}, "To": {e.From},
		"MessageStatus": {status}, "SmsStatus": {status}, "ApiVersion": {"2010-04-01"},
	}
	if code != "" {
		form.Set("ErrorCode", code)
	}
	return form
}
