package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof" // also registers on http.DefaultServeMux, which nothing serves
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// DefaultOpsAddr is where metrics and profiles are served if the operator does not say.
const DefaultOpsAddr = "127.0.0.1:9091"

// opsWriteTimeout bounds a profile, which is taken while its request waits.
const opsWriteTimeout = 5 * time.Minute

// newOps serves metrics and profiles. They tell about all workspaces and cost CPU time,
// so they are never served on the address of the API.
func newOps(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// addOps listens on config.OpsAddr, and adds a loop that serves metrics and profiles
// until the other loops have been told to end. A running profile does not delay a shutdown.
func (a *App) addOps(ctx context.Context, config Config, parts Parts, registry *prometheus.Registry) error {
	a.Ops = newOps(registry)
	if config.OpsAddr == "" {
		return nil
	}
	listener, err := listenOps(ctx, config.OpsAddr)
	if err != nil {
		return err
	}
	a.OpsAddr = listener.Addr().String()
	server := &http.Server{Handler: a.Ops, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: opsWriteTimeout, IdleTimeout: idleTimeout}
	a.opened = append(a.opened, func() { _ = listener.Close() }) // reports only that it is closed already
	a.loops = append(a.loops, func(ctx context.Context) {
		stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve returns
		defer stop()
		if err := server.Serve(listener); ctx.Err() == nil {
			parts.Log.ErrorContext(ctx, "metrics are no longer served", "error", err)
		}
	})
	return nil
}

// listenOps listens on an address. Several processes run on one machine without further
// settings: if the default port is taken, the system chooses another.
func listenOps(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil && addr == DefaultOpsAddr {
		listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("CONVO_OPS_ADDR: %w", err)
	}
	return listener, nil
}
