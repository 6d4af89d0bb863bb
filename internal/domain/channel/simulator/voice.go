package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	api "github.com/avelto/convo/gen/api/model"
)

// Voice is Twilio's API for calls (https://www.twilio.com/docs/voice) with one number. Each
// contact has one call, which is live once the contact has spoken.
type Voice struct {
	Core

	mu sync.Mutex
	// live are the numbers of who speaks on a call, and asks what the TwiML of a message
	// lets Twilio call then.
	live, asks map[string]string
	// relays are calls over WebSockets, by the number of the contact.
	relays   map[string]*relayed
	sessions int
	mode     string
}

// NewVoice returns an API without calls. The channel decides whether calls use WebSockets.
func NewVoice() *Voice { return newVoice("gather") }

// NewRelay is NewVoice for a channel whose calls use WebSockets.
func NewRelay() *Voice { return newVoice("relay") }

func newVoice(mode string) *Voice {
	return &Voice{live: map[string]string{}, asks: map[string]string{}, relays: map[string]*relayed{}, mode: mode}
}

// voiceLimit is the longest TwiML of a call, in characters.
const voiceLimit = 4000

// Type implements Simulator.
func (*Voice) Type() api.ChannelType { return api.ChannelTypeVOICE }

// Settings implements Simulator.
func (s *Voice) Settings() Settings {
	return Settings{
		Config:      json.RawMessage(`{"accountSid":"` + twilioAccount + `","from":"` + twilioNumber + `","mode":"` + s.mode + `"}`),
		Credentials: map[string]string{"authToken": twilioToken},
	}
}

// ServeHTTP implements Simulator.
func (s *Voice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, form, ok := twilioCall(w, r)
	if !ok {
		return
	}
	call, found := strings.CutPrefix(strings.TrimSuffix(path, ".json"), "/Calls/")
	s.mu.Lock()
	to := s.live[call]
	s.mu.Unlock()
	if path == "/Calls.json" {
		to = form.Get("To")
		call, found = voiceCall(to), true
	}
	var does twiml
	err := xml.Unmarshal([]byte(form.Get("Twiml")), &does)
	text, action := does.said()
	switch {
	case !found:
		Write(w, twilioError(http.StatusNotFound, 20404, "The requested resource was not found"))
	case to == "":
		Write(w, twilioError(http.StatusBadRequest, 21220, "Call is not in-progress. Cannot redirect."))
	case err != nil, len([]rune(form.Get("Twiml"))) > voiceLimit:
		Write(w, twilioError(http.StatusBadRequest, 21218, "Invalid 'Twiml'"))
	default:
		s.Serve(w, r, Message{To: to, Text: text, Thread: call}, func(m Message, number int) (Message, Response) {
			m.ID = strconv.Itoa(number)
			s.mu.Lock()
			s.asks[m.ID], s.live[call] = action, to
			s.mu.Unlock()
			if does.Connect != nil {
				go s.redirect(to, path == "/Calls.json", does)
			}
			return m, Response{Status: http.StatusOK, Body: map[string]any{"sid": call, "to": to, "from": twilioNumber, "status": "in-progress"}}
		}, twilioFault)
	}
}

// redirect lets a call go on over another WebSocket, as far as its URL can be reached.
func (s *Voice) redirect(number string, outgoing bool, does twiml) {
	direction := "inbound"
	if outgoing {
		direction = "outbound-api"
	}
	_, _ = s.connect(context.Background(), number, direction, does)
}

// voiceForm are the parameters of a request about a call that is in progress.
func voiceForm(call, number, direction string) url.Values {
	form := url.Values{
		"CallSid": {call}, "AccountSid": {twilioAccount}, "From": {number}, "To": {twilioNumber}, "Direction": {direction}, "CallStatus": {"in-progress"},
	}
	if direction != "inbound" {
		form["From"], form["To"] = form["To"], form["From"]
	}
	return form
}

// voiceCall is the SID of the call of a number.
func voiceCall(number string) string {
	sum := sha256.Sum256([]byte(number))
	return "CA" + hex.EncodeToString(sum[:16])
}

// Hook implements Simulator: what someone says is heard in a turn of its own. Delivered is
// that Twilio has spoken a message. A contact who blocks the channel hangs up.
func (s *Voice) Hook(hook string, _ time.Time, events ...Event) (Request, error) {
	if len(events) != 1 {
		return Request{}, ErrUnsupported
	}
	e := events[0]
	call := voiceCall(e.From)
	form := voiceForm(call, e.From, "inbound")
	query := url.Values{"event": {"speech"}, "turn": {e.ID}}.Encode()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		s.live[call] = e.From
		form.Set("SpeechResult", e.Text)
		form.Set("Confidence", "0.9")
	case Delivered:
		asked, err := url.Parse(s.asks[e.ID])
		if err != nil || s.asks[e.ID] == "" {
			return Request{}, ErrUnsupported
		}
		query = asked.RawQuery
	case Blocked:
		delete(s.live, call)
		form.Set("CallStatus", "completed")
		query = url.Values{"event": {"status"}}.Encode()
	default:
		return Request{}, ErrUnsupported
	}
	return twilioRequest(hook+"?"+query, form), nil
}
