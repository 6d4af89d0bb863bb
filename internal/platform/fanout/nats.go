package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	natsSubject = "convo.live"
	// maxNATS is below the default limit of a NATS server, 1 MiB.
	maxNATS          = 512 << 10
	natsReconnect    = 500 * time.Millisecond
	natsStartTimeout = 5 * time.Second
)

// errNATSClosed means that the connection was closed permanently.
var errNATSClosed = errors.New("fanout: the connection to NATS is closed")

// NATS carries hints through a NATS server, for deployments with many replicas.
type NATS struct{ conn *nats.Conn }

// NewNATS connects to a server, and connects again whenever the connection breaks. It does
// not fail if the server cannot be reached now. Errors do not contain the URL, which may
// contain a password.
func NewNATS(url string) (*NATS, error) {
	conn, err := nats.Connect(url, nats.Name("convo"), nats.MaxReconnects(-1), nats.ReconnectWait(natsReconnect),
		nats.RetryOnFailedConnect(true), nats.Timeout(natsStartTimeout), nats.ReconnectBufSize(-1))
	if err != nil {
		return nil, errors.New("CONVO_NATS_URL is not a valid URL of a NATS server") //nolint:err113 // the cause quotes the URL
	}
	return &NATS{conn: conn}, nil
}

// Close closes the connection.
func (n *NATS) Close() { n.conn.Close() }

// Send implements Transport.
func (n *NATS) Send(_ context.Context, batch []byte) error {
	if err := n.conn.Publish(natsSubject, batch); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Receive implements Transport.
func (n *NATS) Receive(ctx context.Context, deliver func(batch []byte)) error {
	incoming := make(chan *nats.Msg, maxHeard)
	subscription, err := n.conn.ChanSubscribe(natsSubject, incoming)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer func() { _ = subscription.Unsubscribe() }() // fails only if the connection is closed
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case message, ok := <-incoming:
			if !ok {
				return errNATSClosed
			}
			deliver(message.Data)
		}
	}
}

// MaxBatch implements Transport.
func (*NATS) MaxBatch() int { return maxNATS }
