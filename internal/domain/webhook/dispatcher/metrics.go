package dispatcher

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a dispatcher.
type metrics struct {
	succeeded, failed prometheus.Counter
	duration          prometheus.Observer
	lag               prometheus.Observer
}

func newMetrics(registry prometheus.Registerer) metrics {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "convo_webhook_attempts_total", Help: "Attempts to deliver an event to a webhook, by result.",
	}, []string{"result"})
	duration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "convo_webhook_attempt_duration_seconds", Help: "Duration of attempts.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
	})
	lag := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "convo_webhook_lag_seconds", Help: "Time from an event to the first attempt to deliver it.", Buckets: prometheus.ExponentialBuckets(0.005, 4, 10),
	})
	registry.MustRegister(attempts, duration, lag)
	return metrics{
		succeeded: attempts.WithLabelValues("succeeded"), failed: attempts.WithLabelValues("failed"), duration: duration, lag: lag,
	}
}

func (m metrics) observe(r result) {
	if r.attempt.OK() {
		m.succeeded.Inc()
	} else {
		m.failed.Inc()
	}
	m.duration.Observe(r.attempt.Duration.Seconds())
	if r.row.Tries == 0 {
		m.lag.Observe(max(0, r.attempt.At.Sub(r.row.OccurredAt).Seconds()))
	}
}
