//go:build linux

package load

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Telegram stands for the provider of channels: it records the messages that it accepts.
type Telegram struct {
	server  http.Server
	address string

	mu       sync.Mutex
	accepted []string // texts
}

// NewTelegram starts a provider.
func NewTelegram() (*Telegram, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns immediately
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	t := &Telegram{address: listener.Addr().String()}
	t.server = http.Server{Handler: http.HandlerFunc(t.serve), ReadHeaderTimeout: attemptTimeout}
	go func() { _ = t.server.Serve(listener) }() // until Close
	return t, nil
}

// Address is where the provider listens.
func (t *Telegram) Address() string { return t.address }

// Close stops the provider.
func (t *Telegram) Close() { _ = t.server.Close() }

// Accepted returns the texts of the messages that the provider has accepted.
func (t *Telegram) Accepted() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string{}, t.accepted...)
}

// serve is a method of the Bot API: /bot<token>/<method>.
func (t *Telegram) serve(w http.ResponseWriter, r *http.Request) {
	var parameters struct {
		Text string `json:"text"`
	}
	if err := json.NewDecoder(r.Body).Decode(&parameters); err != nil && r.ContentLength > 0 {
		return // the sender was lost
	}
	time.Sleep(receiveTime)
	result := "true"
	switch {
	case strings.HasSuffix(r.URL.Path, "/getMe"):
		result = `{"id":1,"is_bot":true,"first_name":"Ledger","username":"ledger_bot"}`
	case strings.HasSuffix(r.URL.Path, "/sendMessage"):
		t.mu.Lock()
		t.accepted = append(t.accepted, parameters.Text)
		result = fmt.Sprintf(`{"message_id":%d}`, 1_000_000+len(t.accepted)) // not an ID of a contact's message
		t.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"ok":true,"result":%s}`, result) // the sender may have been lost
}
