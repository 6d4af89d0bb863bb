package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// relayTimeout bounds what a call over a WebSocket waits for.
const relayTimeout = 10 * time.Second

// twiml is what a channel lets Twilio do on a call.
type twiml struct {
	Gather *struct {
		Action string `xml:"action,attr"`
		Say    string `xml:"Say"`
	} `xml:"Gather"`
	Connect *struct {
		Action string `xml:"action,attr"`
		Relay  struct {
			URL        string `xml:"url,attr"`
			Greeting   string `xml:"welcomeGreeting,attr"`
			Parameters []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"Parameter"`
		} `xml:"ConversationRelay"`
	} `xml:"Connect"`
	Hangup *struct{} `xml:"Hangup"`
}

// said is what is spoken first, and then what Twilio calls.
func (t twiml) said() (text, action string) {
	switch {
	case t.Gather != nil:
		return t.Gather.Say, t.Gather.Action
	case t.Connect != nil:
		return t.Connect.Relay.Greeting, t.Connect.Action
	}
	return "", ""
}

// relayed is a call over a WebSocket (<ConversationRelay>).
type relayed struct {
	sid, number, direction, action string
	conn                           *websocket.Conn
	began                          time.Time
}

// Converse lets a contact speak on a call over a WebSocket. It begins a call if there is none,
// and reports false if the channel does not use one.
func (s *Voice) Converse(ctx context.Context, hook string, e Event) (bool, error) {
	s.mu.Lock()
	on, live := s.relays[e.From], s.live[voiceCall(e.From)] != ""
	s.mu.Unlock()
	if on == nil && e.Kind == Wrote && hook != "" && !live {
		form := voiceForm(voiceCall(e.From), e.From, "inbound")
		form.Set("CallStatus", "ringing")
		does, err := s.ask(ctx, hook, form)
		if err != nil || does.Connect == nil {
			return false, nil //nolint:nilerr // the event itself is reported, and fails too
		}
		if on, err = s.connect(ctx, e.From, "inbound", does); err != nil {
			return true, err
		}
	}
	if on == nil {
		return false, nil
	}
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		return true, on.write(ctx, map[string]any{"type": "prompt", "voicePrompt": e.Text, "lang": "en-US", "last": true})
	case Interrupted:
		return true, on.write(ctx, map[string]any{"type": "interrupt", "utteranceUntilInterrupt": e.Text, "durationUntilInterruptMs": 460})
	case Blocked:
		return true, s.hangUp(ctx, on)
	}
	return true, ErrUnsupported
}

func (on *relayed) write(ctx context.Context, message any) error {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	if err := on.conn.Write(ctx, websocket.MessageText, encode(message)); err != nil {
		return fmt.Errorf("write to the WebSocket: %w", err)
	}
	return nil
}

// connect opens the WebSocket of a call, in place of the one before.
func (s *Voice) connect(ctx context.Context, number, direction string, does twiml) (*relayed, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	on := &relayed{sid: voiceCall(number), number: number, direction: direction, action: does.Connect.Action, began: time.Now()}
	conn, response, err := websocket.Dial(ctx, does.Connect.Relay.URL, &websocket.DialOptions{HTTPHeader: twilioSigned(does.Connect.Relay.URL, nil).Header})
	if response != nil && response.Body != nil {
		_ = response.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open the WebSocket: %w", err)
	}
	on.conn = conn
	parameters := map[string]string{}
	for _, one := range does.Connect.Relay.Parameters {
		parameters[one.Name] = one.Value
	}
	from, to := number, twilioNumber
	if direction != "inbound" {
		from, to = to, from
	}
	s.mu.Lock()
	before := s.relays[number]
	s.sessions++
	session := "VX" + strconv.Itoa(s.sessions)
	s.relays[number], s.live[on.sid] = on, number
	s.mu.Unlock()
	if before != nil {
		_ = before.conn.CloseNow()
	}
	go s.listen(on) //nolint:gosec // the call outlives the request
	return on, on.write(ctx, map[string]any{
		"type": "setup", "sessionId": session, "callSid": on.sid, "from": from, "to": to, "direction": direction, "callType": "PSTN", "customParameters": parameters,
	})
}

// listen speaks what the channel sends until the WebSocket ends. Twilio then asks how the call
// goes on, unless the caller has hung up.
func (s *Voice) listen(on *relayed) {
	ctx := context.Background()
	form := voiceForm(on.sid, on.number, on.direction)
	form.Set("SessionStatus", "failed")
	for {
		_, frame, err := on.conn.Read(ctx)
		if err != nil {
			break
		}
		var in struct {
			Type    string `json:"type"`
			Token   string `json:"token"`
			Handoff string `json:"handoffData"`
		}
		if err := json.Unmarshal(frame, &in); err != nil {
			continue
		}
		if in.Type == "end" {
			form.Set("SessionStatus", "ended")
			form.Set("HandoffData", in.Handoff)
			break
		}
		if in.Type == "text" {
			s.Accept(Message{To: on.number, Text: in.Token, Thread: on.sid}, func(m Message, number int) (Message, Response) {
				m.ID = strconv.Itoa(number)
				return m, Response{}
			})
		}
	}
	_ = on.conn.Close(websocket.StatusNormalClosure, "")
	s.mu.Lock()
	current := s.relays[on.number] == on
	if current {
		delete(s.relays, on.number)
	}
	s.mu.Unlock()
	if !current {
		return
	}
	form.Set("SessionDuration", strconv.Itoa(int(time.Since(on.began).Seconds())))
	s.goOn(ctx, on, form)
}

// goOn asks the channel how a call goes on, until it is connected again or has ended.
func (s *Voice) goOn(ctx context.Context, on *relayed, form url.Values) {
	for {
		does, err := s.ask(ctx, on.action, form)
		switch {
		case err != nil, does.Hangup != nil:
			_ = s.hangUp(ctx, on)
			return
		case does.Connect == nil:
			return // by <Gather>
		}
		on.action = does.Connect.Action
		if _, err := s.connect(ctx, on.number, on.direction, does); err == nil {
			return
		}
		form.Set("SessionStatus", "failed")
		form.Set("SessionDuration", "0")
	}
}

// Fail implements Simulator. Reconnect breaks the WebSockets that are open.
func (s *Voice) Fail(faults ...Fault) {
	for i, fault := range faults {
		if fault != Reconnect {
			s.Core.Fail(faults[i])
			continue
		}
		s.mu.Lock()
		for _, on := range s.relays {
			go func() { _ = on.conn.CloseNow() }()
		}
		s.mu.Unlock()
	}
}

// hangUp ends a call.
func (s *Voice) hangUp(ctx context.Context, on *relayed) error {
	s.mu.Lock()
	delete(s.relays, on.number)
	delete(s.live, on.sid)
	s.mu.Unlock()
	_ = on.conn.Close(websocket.StatusNormalClosure, "")
	form := voiceForm(on.sid, on.number, on.direction)
	form.Set("CallStatus", "completed")
	form.Set("SessionStatus", "completed")
	_, err := s.ask(ctx, on.action, form)
	return err
}

// ask calls a hook, and returns what it lets Twilio do.
func (s *Voice) ask(ctx context.Context, hook string, form url.Values) (does twiml, err error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	in := twilioRequest(hook, form)
	request, err := http.NewRequestWithContext(ctx, in.Method, in.URL, bytes.NewReader(in.Body))
	if err != nil {
		return does, fmt.Errorf("hook: %w", err)
	}
	request.Header = in.Header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return does, fmt.Errorf("hook: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxUpload))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: the hook responded with status %d", errHook, response.StatusCode)
	}
	if err == nil && strings.TrimSpace(string(body)) != "" {
		err = xml.Unmarshal(body, &does)
	}
	return does, err
}

var errHook = errors.New("simulator")
