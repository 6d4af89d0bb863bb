package voice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/platform/id"
)

const (
	relayPath = "/relay/"
	// maxRelays is how often a call is connected again in a row before it goes on by
	// <Gather>, and stable how long a connection lasts that was none of these, in seconds.
	maxRelays = 3
	stable    = 60
	// codeInterrupted is that of messages that were not spoken because the caller spoke.
	codeInterrupted = "interrupted"
)

// relayTurn matches what names a connection in its path: a call or the key of a message.
var relayTurn = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// relay listens by <ConversationRelay>: Twilio opens a WebSocket, over which it sends what the
// caller says, and speaks what it receives. Its path differs for each call, and so does its
// signature.
func (s config) relay(c provider.Channel, at turn, text string) string {
	var attributes, parameters strings.Builder
	for _, one := range [][2]string{{"welcomeGreeting", text}, {"voice", s.Voice}} {
		if one[1] != "" {
			fmt.Fprintf(&attributes, ` %s="%s"`, one[0], escape(one[1]))
		}
	}
	said := ""
	if at.said {
		said = at.id
	}
	for _, one := range [][2]string{{threadKey, at.thread}, {saidKey, said}} {
		if one[1] != "" {
			fmt.Fprintf(&parameters, `<Parameter name="%s" value="%s"/>`, one[0], escape(one[1]))
		}
	}
	return fmt.Sprintf(`%s<Response><Connect action="%s" method="POST"><ConversationRelay url="%s" language="%s" interruptible="any" welcomeGreetingInterruptible="any"%s>%s</ConversationRelay></Connect></Response>`,
		header, escape(at.url(c, relayEvent)), escape(relayURL(c, at.id)), escape(s.Language), attributes.String(), parameters.String())
}

// relayURL is where Twilio opens a WebSocket.
func relayURL(c provider.Channel, turnID string) string {
	return "ws" + strings.TrimPrefix(c.HookURL, "http") + relayPath + turnID
}

// resume returns how a call goes on whose connection has ended while the caller is there: by
// another one, since the server may have stopped.
func (s config) resume(c provider.Channel, at turn, form url.Values) string {
	if form.Get("HandoffData") == string(provider.Quiet) {
		return hangUp
	}
	following := turn{id: at.next(true).id, thread: at.thread, quiet: at.quiet + 1}
	if seconds, err := strconv.Atoi(form.Get("SessionDuration")); err == nil && seconds >= stable {
		following.quiet = 0
	}
	return s.listen(c, following, "")
}

// Converse implements provider.Conversing.
func (*Provider) Converse(c provider.Channel, r provider.Request) (provider.Session, error) {
	turnID, ok := strings.CutPrefix(r.Path, relayPath)
	if !ok || !relayTurn.MatchString(turnID) {
		return nil, provider.ErrUnauthenticated
	}
	if err := twilio.VerifyConnection(c, r, relayURL(c, turnID)); err != nil {
		return nil, err
	}
	return &session{}, nil
}

// session is a call over a WebSocket
// (https://www.twilio.com/docs/voice/conversationrelay/websocket-messages).
type session struct {
	id, call, thread string
	caller           provider.Identity
	turns            int
	// said is what Twilio speaks or has spoken since the caller last spoke, oldest first.
	said        []said
	interrupted time.Time
}

// said is a text that was sent to be spoken. externalID is "" for a greeting, and text for what
// Twilio was given with the TwiML.
type said struct{ externalID, text string }

// incoming is a message of Twilio.
type incoming struct {
	Type       string            `json:"type"`
	Session    string            `json:"sessionId"`
	Call       string            `json:"callSid"`
	From       string            `json:"from"`
	To         string            `json:"to"`
	Direction  string            `json:"direction"`
	Parameters map[string]string `json:"customParameters"`
	Prompt     string            `json:"voicePrompt"`
	Last       bool              `json:"last"`
	Utterance  string            `json:"utteranceUntilInterrupt"`
	Problem    string            `json:"description"`
}

// Thread implements provider.Session.
func (s *session) Thread() string { return s.thread }

// Receive implements provider.Session.
func (s *session) Receive(at time.Time, frame []byte) ([]provider.Item, error) {
	var in incoming
	if err := json.Unmarshal(frame, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	switch {
	case in.Type == "setup":
		return nil, s.setUp(in)
	case s.call == "":
		return nil, fmt.Errorf("%w: %q before setup", provider.ErrMalformed, in.Type)
	case in.Type == "prompt" && in.Last:
		return s.prompt(in.Prompt), nil
	case in.Type == "prompt":
		return []provider.Item{provider.Typing{From: s.caller.ExternalID, On: true}}, nil
	case in.Type == "interrupt":
		s.interrupted = at
		return s.interrupt(in.Utterance), nil
	case in.Type == "error":
		return nil, fmt.Errorf("%w: Twilio: %s", provider.ErrMalformed, in.Problem)
	}
	return nil, nil // keys, and what later versions send
}

func (s *session) setUp(in incoming) error {
	if s.call != "" || !callPattern.MatchString(in.Call) {
		return fmt.Errorf("%w: unexpected setup", provider.ErrMalformed)
	}
	s.id, s.call, s.thread = in.Session, in.Call, in.Call
	if thread := in.Parameters[threadKey]; callPattern.MatchString(thread) {
		s.thread = thread
	}
	s.caller = caller(url.Values{"From": {in.From}, "To": {in.To}, "Direction": {in.Direction}}, in.Call)
	welcome := said{}
	if key := in.Parameters[saidKey]; key != "" {
		welcome.externalID = saidID(s.call, key)
	}
	s.said = []said{welcome}
	return nil
}

// prompt returns what the caller has said. What was spoken before was heard.
func (s *session) prompt(text string) (items []provider.Item) {
	for _, one := range s.said {
		if one.externalID != "" {
			items = append(items, provider.Status{ExternalID: one.externalID, Status: api.DeliveryStatusDELIVERED})
		}
	}
	s.said = nil
	if text = strings.TrimSpace(text); text == "" {
		return items
	}
	s.turns++
	return append(items, provider.Message{
		ExternalID: heardID(s.call, s.id+"-"+strconv.Itoa(s.turns)), From: s.caller, Text: text, Thread: s.thread,
	})
}

// interrupt returns what became of what was to be spoken: the text in which the caller began to
// speak is cut, and Twilio drops those after it.
func (s *session) interrupt(utterance string) (items []provider.Item) {
	cut := s.cut(utterance)
	for i, one := range s.said {
		switch {
		case one.externalID == "":
		case i < cut || i == cut && plain(one.text) == plain(utterance) && one.text != "":
			items = append(items, provider.Status{ExternalID: one.externalID, Status: api.DeliveryStatusDELIVERED})
		case i == cut && plain(utterance) != "":
			items = append(items, provider.Heard{ExternalID: one.externalID, Text: strings.TrimSpace(utterance)},
				provider.Status{ExternalID: one.externalID, Status: api.DeliveryStatusDELIVERED})
		default:
			items = append(items, provider.Status{
				ExternalID: one.externalID, Status: api.DeliveryStatusFAILED, Kind: provider.Permanent, Code: codeInterrupted, Detail: "The caller spoke before this was said.",
			})
		}
	}
	s.said = nil
	return items
}

// cut returns the index of the text that an utterance is the beginning of; the first one, whose
// text may not be known, if there is none.
func (s *session) cut(utterance string) int {
	heard := plain(utterance)
	for i, one := range s.said {
		if heard != "" && strings.HasPrefix(plain(one.text), heard) {
			return i
		}
	}
	return 0
}

// plain is a text without what Twilio may report in another way.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" \t\r\n.,;:!?…-–—\"'", r) }), " ")
}

// Say implements provider.Session. What an agent replied before it was interrupted is not said.
func (s *session) Say(m provider.Outbound) (frame []byte, externalID string, err error) {
	if floor := id.Floor(s.interrupted); m.Automatic && !s.interrupted.IsZero() && bytes.Compare(m.MessageID[:], floor[:]) < 0 {
		return nil, "", &provider.SendError{Kind: provider.Permanent, Code: codeInterrupted, Detail: "The caller spoke before this was said."}
	}
	frame, err = json.Marshal(map[string]any{"type": "text", "token": m.Text, "last": true, "interruptible": true})
	if err != nil {
		return nil, "", &provider.SendError{Kind: provider.Permanent, Detail: "The text cannot be spoken.", Cause: err}
	}
	externalID = saidID(s.call, m.Key)
	s.said = append(s.said, said{externalID, m.Text})
	return frame, externalID, nil
}

// End implements provider.Session. Twilio passes the reason on to resume.
func (*session) End(why provider.Ending) []byte {
	return []byte(`{"type":"end","handoffData":"` + string(why) + `"}`)
}
