package apitest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// StreamEvent is a server-sent event whose data was validated.
type StreamEvent struct {
	Name, ID string
	Data     json.RawMessage
}

// Stream is an open stream of server-sent events.
type Stream struct {
	events chan StreamEvent
	cancel context.CancelFunc
	check  func(t testing.TB, event StreamEvent)
}

// eventSchemas are the schemas of the data of events.
var eventSchemas = map[string]string{
	"message": "WidgetMessage", "conversation": "WidgetConversation", "typing": "WidgetTypingEvent", "expired": "WidgetExpiredEvent",
}

// Stream opens a stream. It is closed at the end of the test.
func (s *Server) Stream(t testing.TB, r Request) *Stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+r.Path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+r.Token)
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	response, err := streamClient.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	_, pattern := s.checker.routes.Handler(request)
	operation := s.checker.found[pattern].Route.Operation
	note(operation.OperationID, response.StatusCode)
	s.checker.checkHeaders(t, operation.Responses.Status(response.StatusCode).Value, Response{Header: response.Header}, operation.OperationID)
	stream := &Stream{events: make(chan StreamEvent, 1000), cancel: cancel, check: s.checker.checkEvent}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer response.Body.Close()
		stream.read(bufio.NewScanner(response.Body))
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return stream
}

// streamClient opens a connection for each stream.
var streamClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (c *checker) checkEvent(t testing.TB, event StreamEvent) {
	t.Helper()
	schema, ok := eventSchemas[event.Name]
	require.True(t, ok, "undocumented event %s", event.Name)
	var value any
	require.NoError(t, json.Unmarshal(event.Data, &value))
	require.NoError(t, c.document.Components.Schemas[schema].Value.VisitJSON(value, openapi3.EnableJSONSchema2020()), string(event.Data))
}

func (s *Stream) read(lines *bufio.Scanner) {
	defer close(s.events)
	lines.Buffer(nil, 1<<20)
	var event StreamEvent
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			event.ID = value
		case "event":
			event.Name = value
		case "data":
			event.Data = json.RawMessage(value)
		case "":
			if event.Name != "" {
				s.events <- event
			}
			event = StreamEvent{}
		}
	}
}

// Close closes the stream from the client's side.
func (s *Stream) Close() { s.cancel() }

const streamTimeout = 20 * time.Second

// Next returns the next event, which has a name.
func (s *Stream) Next(t testing.TB, name string) StreamEvent {
	t.Helper()
	event := s.Any(t)
	require.Equal(t, name, event.Name, string(event.Data))
	return event
}

// Any returns the next event.
func (s *Stream) Any(t testing.TB) StreamEvent {
	t.Helper()
	select {
	case event, ok := <-s.events:
		require.True(t, ok, "the stream has ended")
		s.check(t, event)
		return event
	case <-time.After(streamTimeout):
		require.Fail(t, "no event")
	}
	return StreamEvent{}
}

// Ended waits until the server has ended the stream, and returns the events before.
func (s *Stream) Ended(t testing.TB) (events []StreamEvent) {
	t.Helper()
	timeout := time.After(streamTimeout)
	for {
		select {
		case event, ok := <-s.events:
			if !ok {
				return events
			}
			s.check(t, event)
			events = append(events, event)
		case <-timeout:
			require.Fail(t, "the stream has not ended")
		}
	}
}

// Waiting returns the events that have arrived and were not read.
func (s *Stream) Waiting() int { return len(s.events) }
