//go:build linux

package load

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// failEvery is how many requests to the receiver there are to one that it fails.
	failEvery = 40
	// receiveTime is how long the receiver takes.
	receiveTime = 5 * time.Millisecond
)

// Receiver is a webhook endpoint.
type Receiver struct {
	mu       sync.Mutex
	secret   string
	accepted []string       // IDs of events, in order of arrival
	times    map[string]int // how often each was accepted
	again    map[string]int // how often each was in flight at a fault
	problems []string       // requests that no sender may make
	server   http.Server
	address  string
	requests int
}

// NewReceiver starts a receiver.
func NewReceiver() (*Receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns immediately
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	r := &Receiver{address: listener.Addr().String(), times: map[string]int{}, again: map[string]int{}}
	r.server = http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: attemptTimeout}
	go func() { _ = r.server.Serve(listener) }() // until Close
	return r, nil
}

// Address is where the receiver listens.
func (r *Receiver) Address() string { return r.address }

// Trust sets the secret that signs the deliveries.
func (r *Receiver) Trust(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret = secret
}

// Close stops the receiver.
func (r *Receiver) Close() { _ = r.server.Close() }

func (r *Receiver) serve(w http.ResponseWriter, message *http.Request) {
	body, err := io.ReadAll(message.Body)
	if err != nil {
		return // the sender was lost
	}
	time.Sleep(receiveTime)
	if !r.receive(message.Header.Get("X-Convo-Signature"), body) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// receive reports whether it accepts a delivery.
func (r *Receiver) receive(signature string, body []byte) bool {
	var event Event
	err := json.Unmarshal(body, &event)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	switch {
	case err != nil || !verify(r.secret, signature, body):
		r.problems = append(r.problems, fmt.Sprintf("invalid delivery: %s %s", signature, body))
		return false
	case r.requests%failEvery == 0:
		return false
	}
	r.accepted = append(r.accepted, event.ID)
	r.times[event.ID]++
	return true
}

// verify verifies X-Convo-Signature: t=<unix>,v1=<hex>.
func verify(secret, signature string, body []byte) bool {
	at, mac, ok := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	hash := hmac.New(sha256.New, []byte(secret))
	hash.Write([]byte(at + "." + string(body)))
	return ok && secret != "" && hmac.Equal([]byte(mac), []byte(hex.EncodeToString(hash.Sum(nil))))
}

// MarkInFlight finds the deliveries that the receiver has accepted and that are not
// recorded as delivered: after a fault at this moment each may come once more.
func (r *Receiver) MarkInFlight(ctx context.Context, databaseURL, integrationID string, fault map[string]bool) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("deliveries in flight: %w", err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT events.id::text FROM webhook_deliveries AS delivery
		JOIN events ON events.workspace_id = delivery.workspace_id AND events.sequence = delivery.event_sequence
		WHERE delivery.integration_id = $1 AND delivery.status = 'PENDING'`, integrationID)
	if err != nil {
		return fmt.Errorf("deliveries in flight: %w", err)
	}
	pending, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("deliveries in flight: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range pending {
		if r.times[id] > 0 && !fault[id] {
			fault[id] = true
			r.again[id]++
		}
	}
	return nil
}

// Deliveries returns the IDs of accepted events, how often each may have come again, and
// requests that no sender may make. Call it at the end.
func (r *Receiver) Deliveries() (accepted []string, again map[string]int, problems []string) {
	return r.accepted, r.again, r.problems
}
