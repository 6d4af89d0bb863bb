package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Observer logs and counts requests.
type Observer struct {
	log      *slog.Logger
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	limited  *prometheus.CounterVec
	// counters caches the counters of requests, because a lookup by labels takes longer than
	// counting.
	counters  sync.Map // outcome → prometheus.Counter
	durations sync.Map // operation → prometheus.Observer
}

// outcome is an operation and the status of its response.
type outcome struct {
	operation string
	status    int
}

// NewObserver registers metrics: requests by operation and status, their duration, and
// the requests that rate limits rejected.
func NewObserver(log *slog.Logger, registry prometheus.Registerer) *Observer {
	o := &Observer{
		log: log,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "convo_http_requests_total", Help: "Requests, by operation and response status.",
		}, []string{"operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "convo_http_request_duration_seconds", Help: "Time until the response was written, by operation.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "convo_http_rate_limited_total", Help: "Requests rejected by a rate limit, by operation.",
		}, []string{"operation"}),
	}
	registry.MustRegister(o.requests, o.duration, o.limited)
	return o
}

func (o *Observer) count(of outcome, took time.Duration) {
	counter, ok := o.counters.Load(of)
	if !ok {
		counter, _ = o.counters.LoadOrStore(of, o.requests.WithLabelValues(of.operation, strconv.Itoa(of.status)))
	}
	duration, ok := o.durations.Load(of.operation)
	if !ok {
		duration, _ = o.durations.LoadOrStore(of.operation, o.duration.WithLabelValues(of.operation))
	}
	counter.(prometheus.Counter).Inc()                     //nolint:forcetypeassert // nothing else is stored
	duration.(prometheus.Observer).Observe(took.Seconds()) //nolint:forcetypeassert // likewise
}

// Report logs and counts a request after its response.
func (o *Observer) Report(c echo.Context, call *Call) {
	took, status := time.Since(call.Started), c.Response().Status
	operation := "unmatched"
	if call.Operation != nil {
		operation = call.Operation.ID
	}
	o.count(outcome{operation, status}, took)
	if status == http.StatusTooManyRequests {
		o.limited.WithLabelValues(operation).Inc()
	}
	attributes := make([]slog.Attr, 0, 9)
	attributes = append(attributes,
		slog.String("requestId", call.RequestID), slog.String("operationId", operation),
		slog.Int("status", status), slog.Float64("durationMs", float64(took.Microseconds())/1e3),
		slog.Int64("bytes", c.Response().Size))
	if call.Operation == nil {
		attributes = append(attributes, slog.String("method", c.Request().Method), slog.String("path", c.Request().URL.Path))
	}
	if call.Principal != nil {
		attributes = append(attributes, slog.String("workspaceId", call.Principal.WorkspaceID.String()))
	} else if call.Session != nil {
		attributes = append(attributes, slog.String("workspaceId", call.Session.WorkspaceID.String()))
	}
	level := slog.LevelInfo
	if call.cause != nil {
		if status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		attributes = append(attributes, slog.String("error", call.cause.Error()))
	}
	o.write(c.Request().Context(), level, attributes)
}

// write logs a request without looking up its caller, which is always the same.
func (o *Observer) write(ctx context.Context, level slog.Level, attributes []slog.Attr) {
	handler := o.log.Handler()
	if !handler.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(time.Now(), level, "request", 0)
	record.AddAttrs(attributes...)
	_ = handler.Handle(ctx, record) // as slog.Logger does: there is nowhere else to log it
}
