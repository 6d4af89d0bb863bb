package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

const (
	// slowClient is how long a client may take to accept what is written.
	slowClient = 10 * time.Second
	// maxIgnored is how many bytes a client may send while it receives a stream.
	maxIgnored = 64 << 10
)

// StreamWidgetEvents implements api.StrictServerInterface.
func (s *widgetTag) StreamWidgetEvents(ctx context.Context, r api.StreamWidgetEventsRequestObject) (api.StreamWidgetEventsResponseObject, error) {
	call := middleware.CallFrom(ctx)
	stream, err := s.streams.Open(ctx, call.Session, ratelimit.Network(call.RealIP()), widget.ParsePosition(text(r.Params.LastEventID)))
	if err != nil {
		return nil, err
	}
	return eventStream(func(w http.ResponseWriter) error {
		conn, err := takeOver(w)
		if err != nil {
			stream.Discard()
			return err
		}
		go serveStream(conn, stream, s.streams.Log) //nolint:contextcheck // it outlives the request
		return nil
	}), nil
}

// eventStream is the response of streamWidgetEvents.
type eventStream func(w http.ResponseWriter) error

var _ api.StreamWidgetEventsResponseObject = eventStream(nil)

// VisitStreamWidgetEventsResponse implements api.StreamWidgetEventsResponseObject.
func (s eventStream) VisitStreamWidgetEventsResponse(w http.ResponseWriter) error { return s(w) }

// takeOver takes the connection of a response from the server and writes its head. A stream
// that is idle for an hour then needs neither the buffers of the server nor the stack of a
// handler, and no timeout of a request ends it.
func takeOver(w http.ResponseWriter) (net.Conn, error) {
	header := w.Header()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over connection: %w", err)
	}
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would collect the events
	header.Set("Connection", "close")     // the end of the stream is that of the connection
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = header.Write(&head) // a buffer can always be written to
	head.WriteString("\r\n")
	out := streamOutput{conn}
	if err := out.write(head.Bytes()); err != nil {
		_ = conn.Close() // it is broken
	}
	return conn, nil
}

// serveStream runs a stream on its connection, which it closes.
func serveStream(conn net.Conn, stream *widget.Stream, log *slog.Logger) {
	go func() {
		ignore(conn)
		stream.End()
	}()
	defer conn.Close()
	if err := stream.Run(context.Background(), streamOutput{conn}); err != nil {
		log.Debug("stream of the widget ended", "error", err)
	}
}

// ignore returns once the client has closed the connection, or sends too much.
func ignore(conn net.Conn) {
	var b [64]byte
	for ignored := 0; ignored < maxIgnored; {
		n, err := conn.Read(b[:])
		if ignored += n; err != nil {
			return
		}
	}
}

// streamOutput writes server-sent events to a connection.
type streamOutput struct{ conn net.Conn }

// Events implements widget.Output.
func (o streamOutput) Events(events []widget.Event) error {
	var b bytes.Buffer
	for _, event := range events {
		data, err := json.Marshal(event.Data)
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		if event.ID != "" {
			fmt.Fprintf(&b, "id: %s\n", event.ID)
		}
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", event.Name, data)
	}
	return o.write(b.Bytes())
}

// Heartbeat implements widget.Output.
func (o streamOutput) Heartbeat() error { return o.write([]byte(":\n\n")) }

func (o streamOutput) write(b []byte) error {
	if err := o.conn.SetWriteDeadline(time.Now().Add(slowClient)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := o.conn.Write(b); err != nil {
		return fmt.Errorf("write to client: %w", err)
	}
	return nil
}
