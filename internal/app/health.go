package app

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/avelto/convo/internal/platform/postgres"
)

const readyPatience = 2 * time.Second

// health tells whether the process lives and whether it can serve.
type health struct {
	db      *postgres.DB
	closing atomic.Bool
}

// mount puts health and metrics beside the API. It is no http.ServeMux, which
// would answer some unknown paths with redirects.
func (h *health) mount(api http.Handler, registry *prometheus.Registry) http.Handler {
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			say(w, http.StatusOK, "ok")
		case "/readyz":
			h.ready(w, r)
		case "/metrics":
			metrics.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// ready answers 200 while the database answers and the server is not closing.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
	defer cancel()
	switch {
	case h.closing.Load():
		say(w, http.StatusServiceUnavailable, "closing")
	case h.db.Ping(ctx) != nil:
		say(w, http.StatusServiceUnavailable, "database unavailable")
	default:
		say(w, http.StatusOK, "ready")
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the prober has gone
}

// poolCollector reports the database pool.
type poolCollector struct {
	pool  *pgxpool.Pool
	conns *prometheus.Desc
	most  *prometheus.Desc
	waits *prometheus.Desc
}

func newPoolCollector(pool *pgxpool.Pool) *poolCollector {
	return &poolCollector{
		pool:  pool,
		conns: prometheus.NewDesc("convo_db_connections", "Connections of the pool, by state.", []string{"state"}, nil),
		most:  prometheus.NewDesc("convo_db_connections_max", "Most connections that the pool opens.", nil, nil),
		waits: prometheus.NewDesc("convo_db_waits_total", "Times that a request waited for a connection.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.conns
	ch <- c.most
	ch <- c.waits
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	stat := c.pool.Stat()
	ch <- prometheus.MustNewConstMetric(c.conns, prometheus.GaugeValue, float64(stat.AcquiredConns()), "used")
	ch <- prometheus.MustNewConstMetric(c.conns, prometheus.GaugeValue, float64(stat.IdleConns()), "idle")
	ch <- prometheus.MustNewConstMetric(c.most, prometheus.GaugeValue, float64(stat.MaxConns()))
	ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(stat.EmptyAcquireCount()))
}
