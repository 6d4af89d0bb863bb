// Package app puts the parts together into a running server.
package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/domain/webhook"
)

const (
	minKeyBytes     = 32
	readHeaderLimit = 10 * time.Second
	readLimit       = 60 * time.Second
	idleLimit       = 2 * time.Minute
)

// Config is all that an operator can set, by environment or flag.
type Config struct {
	Addr            string          `default:"127.0.0.1:8080" env:"CONVO_ADDR" help:"Address to listen on."`
	PublicURL       string          `env:"CONVO_PUBLIC_URL" help:"Where clients reach the server, for links: https://api.example.com. Relative links when empty." name:"public-url"`
	RedisURL        string          `env:"REDIS_URL" help:"Redis that replicas share their rate limits in. Counted in this process when empty." name:"redis-url"`
	TrustedProxies  []string        `env:"CONVO_TRUSTED_PROXIES" help:"Networks (CIDR) whose X-Forwarded-For is believed." placeholder:"CIDR"`
	DatabaseConns   int32           `default:"0" env:"CONVO_DATABASE_CONNS" help:"Most connections to the database; 0 takes 4 or the number of cores, if more."`
	RequestTimeout  time.Duration   `default:"30s" env:"CONVO_REQUEST_TIMEOUT" help:"Longest that a request may take."`
	ShutdownTimeout time.Duration   `default:"20s" env:"CONVO_SHUTDOWN_TIMEOUT" help:"Longest wait for running requests at shutdown."`
	AllowedTargets  []string        `env:"CONVO_ALLOWED_TARGETS" help:"Networks (CIDR) that webhooks may reach although they are private." placeholder:"CIDR"`
	WebhookTimeout  time.Duration   `default:"15s" env:"CONVO_WEBHOOK_TIMEOUT" help:"Longest that a webhook may take for its answer."`
	WebhookRetries  []time.Duration `env:"CONVO_WEBHOOK_RETRIES" help:"Waits after failed attempts to reach a webhook. When empty, the nine of the documentation, 5s to 24h." placeholder:"5s,5m,…"`
	Storage         string          `env:"CONVO_STORAGE" default:"${storage}" help:"Where uploaded files are kept: a directory, or s3://KEY:SECRET@HOST/BUCKET?region=R. All servers and workers share it."`
	CrawlPages      int             `default:"200" env:"CONVO_CRAWL_PAGES" help:"Most pages that a crawl takes in."`
	LogLevel        string          `default:"info" enum:"debug,info,warn,error" env:"CONVO_LOG_LEVEL" help:"Least level logged: debug, info, warn or error."`
}

func (c Config) webhookTimeout() time.Duration {
	if c.WebhookTimeout <= 0 {
		return webhook.Timeout
	}
	return c.WebhookTimeout
}

func (c Config) webhookRetries() []time.Duration {
	if len(c.WebhookRetries) == 0 {
		return webhook.Schedule
	}
	return c.WebhookRetries
}

// ParseKey reads the secret key: at least 32 bytes in hexadecimal.
func ParseKey(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("CONVO_SECRET_KEY is not set: make one with `openssl rand -hex 32`, the same for all replicas")
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) < minKeyBytes {
		return nil, fmt.Errorf("CONVO_SECRET_KEY must be at least %d bytes in hexadecimal", minKeyBytes)
	}
	return key, nil
}

// clientIP returns what tells where a request comes from: X-Forwarded-For is believed
// of trusted proxies alone.
func (c Config) clientIP() (func(*http.Request) string, error) {
	if len(c.TrustedProxies) == 0 {
		return echo.ExtractIPDirect(), nil
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, text := range c.TrustedProxies {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy: %w", err)
		}
		options = append(options, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(options...), nil
}
