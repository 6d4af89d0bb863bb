package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof" // also registers on http.DefaultServeMux, which nothing serves
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// DefaultOpsAddr is the default of CONVO_OPS_ADDR.
const DefaultOpsAddr = "127.0.0.1:9091"

// opsWriteTimeout bounds a profile, which is taken while its request waits.
const opsWriteTimeout = 5 * time.Minute

// newOps serves metrics and profiles. They describe all workspaces and cost CPU time,
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
	const setting = "CONVO_OPS_ADDR"
	listener, err := Listen(ctx, setting, addr)
	if err != nil && addr == DefaultOpsAddr {
		return Listen(ctx, setting, "127.0.0.1:0")
	}
	return listener, err
}

// Listen listens on the TCP address of a setting. The error does not contain the setting
// unless it is an address.
func Listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err == nil {
		return listener, nil
	}
	failed, known := errors.AsType[*net.OpError](err)
	if cause, ok := errors.AsType[*os.SyscallError](err); ok && known && failed.Addr != nil {
		return nil, fmt.Errorf("%s: listen on %s: %w", setting, failed.Addr, cause)
	}
	return nil, fmt.Errorf("%s must be an address with a port, such as 127.0.0.1:8080 or :8080", setting)
}
