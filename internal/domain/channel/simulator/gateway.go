package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Operations and close codes of the Gateway (https://discord.com/developers/docs/events/gateway).
const (
	opDispatch       = 0
	opHeartbeat      = 1
	opIdentify       = 2
	opResume         = 6
	opReconnect      = 7
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatACK   = 11

	closeUnknownOp    = 4001
	closeUnauthorized = 4004
	closeInvalidSeq   = 4007
)

const (
	gatewayPath = "/gateway"
	// heartbeatInterval is in milliseconds.
	heartbeatInterval = 41_250
	gatewayTimeout    = 10 * time.Second
	maxSessions       = 16
)

// gatewayPayload is what both ends of the Gateway send.
type gatewayPayload struct {
	Op       int    `json:"op"`
	Data     any    `json:"d"`
	Sequence int    `json:"s,omitempty"`
	Type     string `json:"t,omitempty"`
}

// gateway has the sessions of bots, the oldest first.
type gateway struct {
	mu       sync.Mutex
	number   int
	sessions []*gatewaySession
}

// gatewaySession keeps the events of a bot while it is connected, and for its next connection.
type gatewaySession struct {
	id     string
	events []gatewayPayload // the last one has the sequence last
	last   int
	// changed is closed when there is an event. end is how the session's connection ends: the
	// payload after which nothing comes.
	changed chan struct{}
	end     *gatewayPayload
}

// serve handles one connection.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, url string) {
	if r.FormValue("v") != "10" || r.FormValue("encoding") != "json" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &gatewayConn{gateway: g, conn: conn, url: url}
	if err := c.write(ctx, gatewayPayload{Op: opHello, Data: map[string]any{"heartbeat_interval": heartbeatInterval}}); err != nil {
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	for {
		session, after, err := c.read(ctx)
		if err != nil {
			cancel()
			return
		}
		if session != nil {
			running.Go(func() { c.pass(ctx, session, after) })
		}
	}
}

// gatewayConn is one connection.
type gatewayConn struct {
	*gateway

	conn  *websocket.Conn
	url   string
	begun bool
}

var errGatewayClosed = errors.New("simulator: the Gateway has closed the connection")

// read handles a payload of the bot. It returns a session that begins or goes on after an event.
func (c *gatewayConn) read(ctx context.Context) (session *gatewaySession, after int, err error) {
	var p struct {
		Op   int             `json:"op"`
		Data json.RawMessage `json:"d"`
	}
	if err := wsjson.Read(ctx, c.conn, &p); err != nil {
		return nil, 0, err //nolint:wrapcheck // it only ends the connection
	}
	if p.Op == opHeartbeat {
		return nil, 0, c.write(ctx, gatewayPayload{Op: opHeartbeatACK})
	}
	var in struct {
		Token   string `json:"token"`
		Session string `json:"session_id"`
		After   int    `json:"seq"`
	}
	switch err := json.Unmarshal(p.Data, &in); {
	case err != nil, c.begun, p.Op != opIdentify && p.Op != opResume:
		return nil, 0, c.close(closeUnknownOp, "Unknown opcode.")
	case in.Token != discordToken:
		return nil, 0, c.close(closeUnauthorized, "Authentication failed.")
	case p.Op == opIdentify:
		c.begun = true
		return c.begin(c.url), 0, nil
	}
	session, ok := c.find(in.Session, in.After)
	switch {
	case session == nil:
		return nil, 0, c.write(ctx, gatewayPayload{Op: opInvalidSession, Data: false})
	case !ok:
		return nil, 0, c.close(closeInvalidSeq, "Invalid sequence.")
	}
	c.begun = true
	return session, in.After, nil
}

func (c *gatewayConn) close(code websocket.StatusCode, reason string) error {
	_ = c.conn.Close(code, reason)
	return errGatewayClosed
}

func (c *gatewayConn) write(ctx context.Context, p gatewayPayload) error {
	ctx, cancel := context.WithTimeout(ctx, gatewayTimeout)
	defer cancel()
	return wsjson.Write(ctx, c.conn, p) //nolint:wrapcheck // it only ends the connection
}

// pass writes the events of a session after one, until the session or the connection ends. The
// bot closes the connection.
func (c *gatewayConn) pass(ctx context.Context, session *gatewaySession, after int) {
	for {
		events, end, changed := c.since(session, after)
		for _, event := range events {
			if c.write(ctx, event) != nil {
				return
			}
			after = event.Sequence
		}
		if end != nil {
			_ = c.write(ctx, *end)
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// begin begins a session.
func (g *gateway) begin(url string) *gatewaySession {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.number++
	session := &gatewaySession{id: "simulated-" + strconv.Itoa(g.number), changed: make(chan struct{})}
	session.add("READY", map[string]any{
		"v": 10, "session_id": session.id, "resume_gateway_url": url, "user": map[string]any{"id": "1", "username": "simulated", "bot": true}, "guilds": []any{},
	})
	if g.sessions = append(g.sessions, session); len(g.sessions) > maxSessions {
		g.sessions = g.sessions[1:]
	}
	return session
}

// find returns a session, nil if there is none, and whether it can go on after an event.
func (g *gateway) find(id string, after int) (session *gatewaySession, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, session := range g.sessions {
		if session.id == id {
			session.end = nil
			oldest := session.last - len(session.events)
			return session, oldest <= after && after <= session.last
		}
	}
	return nil, false
}

// since returns the events of a session after one, how the connection ends, and what is closed
// when that changes.
func (g *gateway) since(session *gatewaySession, after int) (events []gatewayPayload, end *gatewayPayload, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	oldest := session.last - len(session.events)
	return session.events[max(0, after-oldest):], session.end, session.changed
}

// dispatch adds an event to all sessions. It reports whether there are any.
func (g *gateway) dispatch(kind string, data any) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, session := range g.sessions {
		session.add(kind, data)
	}
	return len(g.sessions) > 0
}

// endAll ends the connections of all sessions with a payload, and forgets the sessions unless
// they can go on.
func (g *gateway) endAll(with gatewayPayload, resumable bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, session := range g.sessions {
		session.end = &with
		session.notify()
	}
	if !resumable {
		g.sessions = nil
	}
}

// add adds an event. The caller holds the lock.
func (s *gatewaySession) add(kind string, data any) {
	s.last++
	if s.events = append(s.events, gatewayPayload{Op: opDispatch, Data: data, Sequence: s.last, Type: kind}); len(s.events) > maxKept {
		s.events = s.events[1:]
	}
	s.notify()
}

func (s *gatewaySession) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// gatewayURL is where the Gateway is, for those who ask at a URL of the API.
func gatewayURL(served string, r *http.Request) string {
	if served == "" {
		served = "http://" + r.Host
	}
	return "ws" + strings.TrimPrefix(served, "http") + gatewayPath
}
