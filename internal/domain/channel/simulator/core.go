package simulator

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxKept bounds the messages and files that a simulator keeps.
const maxKept = 1000

// Core is what the simulators have in common. The zero value is ready for use.
type Core struct {
	mu       sync.Mutex
	faults   []Fault
	accepted []Message
	number   int
	files    map[string]File
	fileIDs  []string
	hanging  chan struct{}
	url      string
	hook     string
	// then is called with each message that was accepted; nil for nothing.
	then func(Message)
}

// Response is a response of a provider with a JSON body.
type Response struct {
	Status int
	Header http.Header
	Body   any
}

// Registered notes the hook that a channel has registered.
func (c *Core) Registered(hook string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hook = hook
}

// RegisteredHook returns the hook that a channel has registered, "" if there is none.
func (c *Core) RegisteredHook() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hook
}

// NumberFrom lets the numbers of messages and files begin after n, for those who remember the
// numbers of an earlier simulator.
func (c *Core) NumberFrom(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number = n
}

// OnAccepted sets what is called with each message that was accepted. It must not wait.
func (c *Core) OnAccepted(then func(Message)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.then = then
}

// Note notes what was reported of a message that was accepted.
func (c *Core) Note(id string, reported Kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.accepted {
		if c.accepted[i].ID == id {
			c.accepted[i].Reported = reported
		}
	}
}

// ServedAt tells a simulator its URL, without a slash at the end, for those whose files have
// one.
func (c *Core) ServedAt(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.url = url
}

// URL is what ServedAt was called with.
func (c *Core) URL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.url
}

// Fail implements Simulator.
func (c *Core) Fail(faults ...Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, faults...)
}

// Accepted implements Simulator.
func (c *Core) Accepted() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.accepted)
}

// Hang waits until ctx ends, and lets Hanging receive.
func (c *Core) Hang(ctx context.Context) {
	c.mu.Lock()
	hanging := c.hang()
	c.mu.Unlock()
	select {
	case hanging <- struct{}{}:
	default:
	}
	<-ctx.Done()
}

// Hanging returns a channel that receives when a call hangs.
func (c *Core) Hanging() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hang()
}

func (c *Core) hang() chan struct{} {
	if c.hanging == nil {
		c.hanging = make(chan struct{}, 1)
	}
	return c.hanging
}

// Serve handles a call that sends a message, or lets it fail. reply is the response to a
// message that was accepted, with its number if it has no ID; refuse is that to a fault.
func (c *Core) Serve(w http.ResponseWriter, r *http.Request, m Message, reply func(m Message, number int) (Message, Response), refuse func(Fault) Response) {
	fault := c.NextFault()
	if fault == WindowClosed && m.Template != "" {
		fault = ""
	}
	switch fault {
	case "", Hang, Reset, Lie, Reconnect, InvalidSession:
	case Overloaded, Limited, Refuse, WindowClosed, Revoked, OptedOut:
		Write(w, refuse(fault))
		return
	}
	response := c.Accept(m, reply)
	switch fault { //nolint:exhaustive // the response is complete
	case Hang:
		c.Hang(r.Context())
	case Reset:
		reset(w)
	case Lie:
		truncated(w, response)
	default:
		Write(w, response)
	}
}

// NextFault returns the fault of the next call; "" for none.
func (c *Core) NextFault() Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) == 0 {
		return ""
	}
	fault := c.faults[0]
	c.faults = c.faults[1:]
	return fault
}

// Accept keeps a message, unless one with the same key is there, and returns the response.
func (c *Core) Accept(m Message, reply func(m Message, number int) (Message, Response)) Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.known(m.Key); i >= 0 {
		_, response := reply(c.accepted[i], 0)
		return response
	}
	c.number++
	m.At = time.Now()
	m, response := reply(m, c.number)
	if c.accepted = append(c.accepted, m); len(c.accepted) > maxKept {
		c.accepted = c.accepted[1:]
	}
	if c.then != nil {
		c.then(m)
	}
	return response
}

// known returns the index of the message with a key, -1 if there is none.
func (c *Core) known(key string) int {
	if key == "" {
		return -1
	}
	return slices.IndexFunc(c.accepted, func(m Message) bool { return m.Key == key })
}

// AddFile keeps a file for downloads, and returns its ID.
func (c *Core) AddFile(f File) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[string]File{}
	}
	if f.ID == "" {
		c.number++
		f.ID = strconv.Itoa(c.number)
	}
	c.files[f.ID] = f
	if c.fileIDs = append(c.fileIDs, f.ID); len(c.fileIDs) > maxKept {
		delete(c.files, c.fileIDs[0])
		c.fileIDs = c.fileIDs[1:]
	}
	return f.ID
}

// File returns a file that was added.
func (c *Core) File(id string) (File, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.files[id]
	return f, ok
}

// Write writes a response.
func Write(w http.ResponseWriter, response Response) {
	body := encode(response.Body)
	head(w, response)
	_, _ = w.Write(body)
}

// truncated writes the first half of a response, as if it were all of it.
func truncated(w http.ResponseWriter, response Response) {
	body := encode(response.Body)
	head(w, response)
	_, _ = w.Write(body[:len(body)/2])
}

func head(w http.ResponseWriter, response Response) {
	maps.Copy(w.Header(), response.Header)
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(response.Status)
}

func encode(body any) []byte {
	if text, ok := body.(string); ok {
		return []byte(text)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // the bodies are made of maps, lists and texts
	}
	return encoded
}

// reset breaks the connection, without a proper end.
func reset(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
