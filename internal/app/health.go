package app

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	readyTimeout = 2 * time.Second
	// readyFor is how long the result of a check is reused, because anyone can request it.
	readyFor = 200 * time.Millisecond
)

// health serves liveness and readiness.
type health struct {
	db      *postgres.DB
	closing atomic.Bool

	mu      sync.Mutex // held during a check, which others wait for
	checked time.Time
	err     error
}

// newHealth returns health with a database connection of its own: while requests use
// all others, the server is busy and not unavailable.
func (a *App) newHealth(ctx context.Context, parts Parts) (*health, error) {
	own, err := parts.DB.Apart(ctx, 1)
	if err != nil {
		return nil, err
	}
	a.opened = append(a.opened, own.Close)
	a.loops = append(a.loops, func(ctx context.Context) {
		<-ctx.Done()
		own.Close()
	})
	return &health{db: own}, nil
}

// mount serves health, and api for all other paths. It does not use http.ServeMux, which
// redirects some unknown paths.
func (h *health) mount(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			respond(w, http.StatusOK, "ok")
		case "/readyz":
			h.ready(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// ready responds 200 while the database responds and the server is not closing, else 503.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	switch {
	case h.closing.Load():
		respond(w, http.StatusServiceUnavailable, "shutting down")
	case h.check(r.Context()) != nil:
		respond(w, http.StatusServiceUnavailable, "database unavailable")
	default:
		respond(w, http.StatusOK, "ready")
	}
}

// check reports whether the database responds, or has responded within readyFor.
func (h *health) check(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checked.IsZero() || time.Since(h.checked) >= readyFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		defer cancel()
		h.err = h.db.Ping(ctx)
		h.checked = time.Now()
	}
	return h.err
}

func respond(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client has gone
}

// poolCollector exports the state of the database pool as metrics.
type poolCollector struct {
	pool  *pgxpool.Pool
	conns *prometheus.Desc
	max   *prometheus.Desc
	waits *prometheus.Desc
}

func newPoolCollector(pool *pgxpool.Pool) *poolCollector {
	return &poolCollector{
		pool:  pool,
		conns: prometheus.NewDesc("convo_db_connections", "Connections of the pool, by state (used, idle).", []string{"state"}, nil),
		max:   prometheus.NewDesc("convo_db_connections_max", "Maximum size of the connection pool.", nil, nil),
		waits: prometheus.NewDesc("convo_db_waits_total", "Acquires that waited for a free connection.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.conns
	ch <- c.max
	ch <- c.waits
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	stat := c.pool.Stat()
	ch <- prometheus.MustNewConstMetric(c.conns, prometheus.GaugeValue, float64(stat.AcquiredConns()), "used")
	ch <- prometheus.MustNewConstMetric(c.conns, prometheus.GaugeValue, float64(stat.IdleConns()), "idle")
	ch <- prometheus.MustNewConstMetric(c.max, prometheus.GaugeValue, float64(stat.MaxConns()))
	ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(stat.EmptyAcquireCount()))
}
