package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// StreamWidgetEvents implements api.StrictServerInterface.
func (s *widgetTag) StreamWidgetEvents(ctx context.Context, r api.StreamWidgetEventsRequestObject) (api.StreamWidgetEventsResponseObject, error) {
	call := middleware.CallFrom(ctx)
	stream, err := s.streams.Open(ctx, call.Session, ratelimit.Network(call.RealIP()), widget.ParsePosition(text(r.Params.LastEventID)))
	if err != nil {
		return nil, err
	}
	return eventStream(func(w http.ResponseWriter) error {
		conn, err := web.TakeOver(w)
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

// serveStream runs a stream on its connection, which it closes.
func serveStream(conn web.EventStream, stream *widget.Stream, log *slog.Logger) {
	go func() {
		conn.Ignore()
		stream.End()
	}()
	defer conn.Close()
	if err := stream.Run(context.Background(), streamOutput{conn}); err != nil {
		log.Debug("stream of the widget ended", "error", err)
	}
}

// streamOutput writes server-sent events to a connection.
type streamOutput struct{ web.EventStream }

// Events implements widget.Output.
func (o streamOutput) Events(events []widget.Event) error {
	sent := make([]web.Event, len(events))
	for i, event := range events {
		sent[i] = web.Event{Name: event.Name, ID: event.ID, Data: event.Data}
	}
	return o.Send(sent...)
}
