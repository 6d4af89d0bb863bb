package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/avelto/convo/internal/platform/rawhttp"
)

// Serve accepts connections until ctx ends. It then reports not ready, still accepts
// connections for config.ShutdownDelay, waits for requests in flight up to three quarters
// of config.ShutdownTimeout, and stops the background loops last, since requests leave
// work to them.
func (a *App) Serve(ctx context.Context, listener net.Listener, config Config) error {
	server := &http.Server{
		Handler: a.Handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		WriteTimeout: config.RequestTimeout + readTimeout,
	}
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	looped := make(chan struct{})
	go func() {
		defer close(looped)
		a.Run(loops)
	}()
	served := make(chan error, 1)
	go func() { served <- server.Serve(a.Listen(listener)) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		a.health.closing.Store(true)
		select { // until load balancers have noticed
		case err = <-served:
		case <-time.After(config.ShutdownDelay):
			err = drain(ctx, server, config.ShutdownTimeout*3/4)
		}
	}
	stopLoops()
	<-looped
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Listen wraps a listener whose requests Handler serves: they are checked before they are
// parsed. Serve does so itself.
func (a *App) Listen(listener net.Listener) net.Listener {
	if a.unparsed == nil {
		return listener
	}
	return rawhttp.Listen(listener, a.unparsed)
}

func drain(ctx context.Context, server *http.Server, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests still running after %s: %w", timeout, err)
	}
	return nil
}

// StartTracing exports spans by OTLP over HTTP, configured by OpenTelemetry's own
// environment variables. stop flushes and ends it.
func StartTracing(ctx context.Context) (stop func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	return provider.Shutdown, nil
}

// TracingWanted reports whether OpenTelemetry's environment variables ask for
// traces by OTLP; getenv is os.Getenv.
func TracingWanted(getenv func(string) string) bool {
	if getenv("OTEL_SDK_DISABLED") == "true" {
		return false
	}
	if exporter := getenv("OTEL_TRACES_EXPORTER"); exporter != "" {
		return exporter == "otlp"
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}
