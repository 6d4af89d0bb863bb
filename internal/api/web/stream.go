package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	// slowClient is how long a client may take to accept what is written.
	slowClient = 10 * time.Second
	// maxIgnored is how many bytes a client may send while it receives a stream.
	maxIgnored = 64 << 10
)

// EventStream writes server-sent events to a connection. Each write has a deadline.
type EventStream struct{ net.Conn }

// TakeOver takes the connection of a response from the server and writes its head. A stream
// that is idle for an hour then needs neither the buffers of the server nor the stack of a
// handler, and no timeout of a request ends it. The caller closes the stream.
func TakeOver(w http.ResponseWriter) (EventStream, error) {
	header := w.Header()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return EventStream{}, fmt.Errorf("take over connection: %w", err)
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
	out := EventStream{conn}
	if err := out.write(head.Bytes()); err != nil {
		_ = conn.Close() // it is broken
	}
	return out, nil
}

// Ignore returns once the client has closed the connection, or sends too much.
func (s EventStream) Ignore() {
	var b [64]byte
	for ignored := 0; ignored < maxIgnored; {
		n, err := s.Read(b[:])
		if ignored += n; err != nil {
			return
		}
	}
}

// Event is a server-sent event. A client that has received an ID resumes after it.
type Event struct {
	Name, ID string
	Data     any
}

// Send writes events.
func (s EventStream) Send(events ...Event) error {
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
	return s.write(b.Bytes())
}

// Heartbeat writes a comment.
func (s EventStream) Heartbeat() error { return s.write([]byte(":\n\n")) }

func (s EventStream) write(b []byte) error {
	if err := s.SetWriteDeadline(time.Now().Add(slowClient)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := s.Write(b); err != nil {
		return fmt.Errorf("write to client: %w", err)
	}
	return nil
}
