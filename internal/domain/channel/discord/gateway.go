package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/wake"
)

// Operations of the Gateway (https://discord.com/developers/docs/events/gateway).
const (
	opDispatch       = 0
	opHeartbeat      = 1
	opIdentify       = 2
	opResume         = 6
	opReconnect      = 7
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatACK   = 11
)

const (
	// intents are the events to receive: messages in servers and direct messages. Neither
	// needs an approval by Discord.
	intents = 1<<9 | 1<<12
	// maxPayload bounds an event, in bytes.
	maxPayload = 4 << 20
	// helloTimeout bounds the wait for the first payload, and writeTimeout a write.
	helloTimeout = 20 * time.Second
	writeTimeout = 10 * time.Second
	// The heartbeat intervals that are believed.
	minHeartbeat = 10 * time.Millisecond
	maxHeartbeat = 5 * time.Minute
	// invalidSessionWait is the wait before a new session after one was refused, and
	// maxIdentifyWait bounds the wait for another session.
	invalidSessionWait = 5 * time.Second
	maxIdentifyWait    = 24 * time.Hour
)

// Close codes after which the session cannot go on, and those that only the owner of the
// channel can do something about.
var (
	sessionLost = map[websocket.StatusCode]bool{4003: true, 4007: true, 4009: true}
	refused     = map[websocket.StatusCode]string{
		4004: "Discord rejected the token.", 4010: "Discord requires another shard.", 4011: "Discord requires sharding.",
		4012: "Discord no longer supports this version of the Gateway.", 4013: "Discord rejected the intents.",
		4014: "Discord does not allow the bot these intents.",
	}
)

// session is where the next connection goes on. It is stored with what was received.
type session struct {
	ID       string `json:"sessionId,omitempty"`
	URL      string `json:"url,omitempty"`
	Sequence int64  `json:"sequence,omitempty"`
}

type payload struct {
	Op       int             `json:"op"`
	Data     json.RawMessage `json:"d"`
	Sequence *int64          `json:"s,omitempty"`
	Type     string          `json:"t,omitempty"`
}

type deliver func(ctx context.Context, items []provider.Item, state json.RawMessage) error

// connection is one connection to the Gateway.
type connection struct {
	conn    *websocket.Conn
	channel provider.Channel
	deliver deliver
	session session
	// sequence is that of the last event, for heartbeats.
	sequence     atomic.Int64
	acknowledged atomic.Bool
}

// Listen implements provider.Listener: one connection. It returns nil if Discord asks to
// connect again; the session then goes on, and what was missed comes.
func (p *Provider) Listen(ctx context.Context, c provider.Channel, deliver func(context.Context, []provider.Item, json.RawMessage) error) error {
	settings, err := configOf(c)
	if err != nil {
		return &provider.SendError{Kind: provider.Credentials, Detail: "The settings of the channel are invalid.", Cause: err}
	}
	if settings.Gateway != nil && !*settings.Gateway {
		<-ctx.Done()
		return nil
	}
	l := &connection{channel: c, deliver: deliver}
	_ = json.Unmarshal(c.State, &l.session) // an unreadable one is none
	at := l.session.URL
	if l.session.ID == "" || at == "" {
		if at, err = p.gateway(ctx, c, settings); err != nil {
			return err
		}
	}
	if reason := p.checkGateway(at); reason != "" {
		return &provider.SendError{Kind: provider.Retryable, Detail: "The URL of Discord's Gateway " + reason + "."}
	}
	if err := p.dial(ctx, l, at); err != nil {
		l.session.URL = "" // the session can go on elsewhere
		return errors.Join(err, l.keep(ctx))
	}
	defer func() { _ = l.conn.CloseNow() }() // any close code would end the session
	return l.run(ctx)
}

// gateway returns where to begin a session, once the bot may begin one.
func (p *Provider) gateway(ctx context.Context, c provider.Channel, settings config) (string, error) {
	calling, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var found struct {
		URL   string `json:"url"`
		Limit *struct {
			Remaining  int   `json:"remaining"`
			ResetAfter int64 `json:"reset_after"` // milliseconds
		} `json:"session_start_limit"`
	}
	err := p.call(calling, c, apiclient.Request{Method: http.MethodGet, URL: "/gateway/bot"}, &found)
	if settings.GatewayURL != "" {
		found.URL, err = settings.GatewayURL, nil
	}
	if err != nil {
		return "", err
	}
	if found.Limit != nil && found.Limit.Remaining <= 0 {
		// Beyond its limit, Discord revokes the token.
		wake.Sleep(ctx, min(time.Duration(found.Limit.ResetAfter)*time.Millisecond, maxIdentifyWait))
	}
	return found.URL, ctx.Err()
}

func (p *Provider) dial(ctx context.Context, l *connection, at string) (err error) {
	dialing, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	transport := &http.Transport{DialContext: p.Guard.Dialer().DialContext, TLSHandshakeTimeout: writeTimeout, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	l.conn, _, err = websocket.Dial(dialing, strings.TrimRight(at, "/")+"/?v=10&encoding=json", &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // the library closes it
	if err != nil {
		return l.failure(err)
	}
	l.conn.SetReadLimit(maxPayload)
	return nil
}

// run begins or resumes the session, and passes on events.
func (l *connection) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	every, err := l.greet(ctx)
	if err != nil {
		return l.failure(err)
	}
	go l.beat(ctx, every, cancel)
	for {
		var p payload
		if err := l.read(ctx, &p); parent.Err() != nil {
			return nil // it was asked to end
		} else if err != nil {
			return l.ended(ctx, err)
		}
		if again, err := l.handle(ctx, p); !again || err != nil {
			return err
		}
	}
}

// greet reads the first payload, and identifies the bot. It returns the heartbeat interval.
func (l *connection) greet(ctx context.Context) (time.Duration, error) {
	waiting, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	var p payload
	var hello struct {
		Interval int64 `json:"heartbeat_interval"` // milliseconds
	}
	if err := l.read(waiting, &p); err != nil {
		return 0, err
	}
	if err := json.Unmarshal(p.Data, &hello); p.Op != opHello || err != nil {
		return 0, errors.New("discord: the Gateway did not say hello")
	}
	l.acknowledged.Store(true)
	l.sequence.Store(l.session.Sequence)
	every := max(minHeartbeat, min(time.Duration(hello.Interval)*time.Millisecond, maxHeartbeat))
	if l.session.ID != "" {
		return every, l.write(ctx, opResume, map[string]any{
			"token": l.channel.Credentials[botToken], "session_id": l.session.ID, "seq": l.session.Sequence,
		})
	}
	return every, l.write(ctx, opIdentify, map[string]any{
		"token": l.channel.Credentials[botToken], "intents": intents,
		"properties": map[string]string{"os": "linux", "browser": "convo", "device": "convo"},
	})
}

// handle handles a payload, and reports whether the connection goes on.
func (l *connection) handle(ctx context.Context, p payload) (again bool, err error) {
	switch p.Op {
	case opDispatch:
		return true, l.dispatch(ctx, p)
	case opHeartbeat:
		return true, l.heartbeat(ctx)
	case opHeartbeatACK:
		l.acknowledged.Store(true)
	case opReconnect:
		return false, l.keep(ctx)
	case opInvalidSession:
		if string(p.Data) != "true" {
			l.session = session{}
		}
		wake.Sleep(ctx, time.Second+rand.N(invalidSessionWait-time.Second))
		return false, l.keep(ctx)
	}
	return true, nil
}

// dispatch passes on an event. One that cannot be read is omitted.
func (l *connection) dispatch(ctx context.Context, p payload) error {
	if p.Sequence != nil {
		l.session.Sequence = *p.Sequence
		l.sequence.Store(*p.Sequence)
	}
	if p.Type == "READY" {
		var ready struct {
			ID  string `json:"session_id"`
			URL string `json:"resume_gateway_url"`
		}
		if err := json.Unmarshal(p.Data, &ready); err != nil {
			return fmt.Errorf("discord: READY: %w", err)
		}
		l.session.ID, l.session.URL = ready.ID, ready.URL
		return l.keep(ctx)
	}
	items, err := dispatched(p.Type, p.Data)
	if err != nil || len(items) == 0 {
		return nil //nolint:nilerr // the next events matter more
	}
	return l.pass(ctx, items)
}

// keep stores the session.
func (l *connection) keep(ctx context.Context) error { return l.pass(ctx, nil) }

func (l *connection) pass(ctx context.Context, items []provider.Item) error {
	state, err := json.Marshal(l.session)
	if err != nil {
		return fmt.Errorf("discord: %w", err)
	}
	return l.deliver(ctx, items, state)
}

// beat sends heartbeats, the first one after a random part of the interval. A connection
// whose heartbeats are not acknowledged is dead.
func (l *connection) beat(ctx context.Context, every time.Duration, stop context.CancelCauseFunc) {
	wake.Sleep(ctx, rand.N(every))
	for ctx.Err() == nil {
		if !l.acknowledged.Swap(false) {
			stop(errors.New("discord: the Gateway does not acknowledge heartbeats"))
			return
		}
		if err := l.heartbeat(ctx); err != nil {
			stop(err)
			return
		}
		wake.Sleep(ctx, every)
	}
}

func (l *connection) heartbeat(ctx context.Context) error {
	if sequence := l.sequence.Load(); sequence > 0 {
		return l.write(ctx, opHeartbeat, sequence)
	}
	return l.write(ctx, opHeartbeat, nil)
}

func (l *connection) read(ctx context.Context, p *payload) error {
	_, raw, err := l.conn.Read(ctx)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if err := json.Unmarshal(raw, p); err != nil {
		return fmt.Errorf("discord: payload: %w", err)
	}
	return nil
}

func (l *connection) write(ctx context.Context, op int, data any) error {
	raw, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err != nil {
		return fmt.Errorf("discord: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.conn.Write(ctx, websocket.MessageText, raw); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// ended explains why a connection ended. A lost session is forgotten.
func (l *connection) ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if sessionLost[websocket.CloseStatus(err)] {
		l.session = session{}
		_ = l.keep(ctx)
	}
	return l.failure(err)
}

func (l *connection) failure(err error) error {
	code := websocket.CloseStatus(err)
	failed := &provider.SendError{
		Kind: provider.Retryable, Detail: "The connection to Discord was lost.", Cause: fmt.Errorf("discord: %s", provider.Redact(l.channel, err.Error())),
	}
	if code > 0 {
		failed.Code = strconv.Itoa(int(code))
	}
	if reason, ok := refused[code]; ok {
		failed.Kind, failed.Detail = provider.Credentials, reason
	}
	return failed
}
