package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/domain/webhook/dispatcher"
	"github.com/avelto/convo/internal/domain/webhook/sender"
)

const (
	minKeyBytes       = 32
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	idleTimeout       = 2 * time.Minute

	minConns     = 16
	connsPerCore = 4
)

// Config holds the settings of a server or worker. Each is an environment variable and
// a flag.
type Config struct {
	Addr            string          `default:"127.0.0.1:8080" env:"CONVO_ADDR" help:"Address to listen on."`
	OpsAddr         string          `default:"${ops}" env:"CONVO_OPS_ADDR" help:"Address that serves metrics (/metrics) and profiles (/debug/pprof/) to anyone who can connect. If empty, they are not served. If the default port is taken, a free one is used and logged."`
	PublicURL       string          `env:"CONVO_PUBLIC_URL" help:"URL at which clients reach the server, for links in responses and samples, such as https://api.example.com. If it is https, the console sets Secure cookies. If empty, links are relative." name:"public-url"`
	NATSURL         string          `env:"CONVO_NATS_URL" help:"NATS server that tells all replicas which conversations have changed, for deployments with many replicas. If empty, PostgreSQL does." name:"nats-url"`
	RedisURL        string          `env:"REDIS_URL" help:"Redis for rate limits shared by all replicas. If empty, each process counts its own." name:"redis-url"`
	TrustedProxies  []string        `env:"CONVO_TRUSTED_PROXIES" help:"Networks (CIDR, comma-separated) of proxies whose X-Forwarded-For header is trusted." placeholder:"CIDR"`
	DatabaseConns   int32           `default:"0" env:"CONVO_DATABASE_CONNS" help:"Maximum number of database connections. 0 uses 16 or four times the number of CPU cores, whichever is higher."`
	RequestTimeout  time.Duration   `default:"30s" env:"CONVO_REQUEST_TIMEOUT" help:"Timeout of a request."`
	ShutdownDelay   time.Duration   `default:"0s" env:"CONVO_SHUTDOWN_DELAY" help:"How long a server that shuts down still accepts requests after GET /readyz reports 503, for load balancers to notice. Added to the shutdown timeout."`
	ShutdownTimeout time.Duration   `default:"20s" env:"CONVO_SHUTDOWN_TIMEOUT" help:"How long a shutdown may take. Requests in flight have three quarters of it to finish."`
	AllowedTargets  []string        `env:"CONVO_ALLOWED_TARGETS" help:"Private networks (CIDR, comma-separated) that webhooks may connect to. convo dev allows loopback." placeholder:"CIDR"`
	WebhookTimeout  time.Duration   `default:"15s" env:"CONVO_WEBHOOK_TIMEOUT" help:"How long to wait for the response of a webhook endpoint."`
	WebhookRetries  []time.Duration `env:"CONVO_WEBHOOK_RETRIES" help:"Backoff after each failed delivery to a webhook, comma-separated. If empty: 5s,5m,30m,2h,5h,10h,14h,20h,24h." placeholder:"5s,5m,…"`
	Storage         string          `env:"CONVO_STORAGE" default:"${storage}" help:"Storage for uploaded files, shared by all servers and workers: a directory, or s3://KEY:SECRET@HOST/BUCKET?region=R."`
	CrawlPages      int             `default:"200" env:"CONVO_CRAWL_PAGES" help:"Maximum number of pages that a crawl reads."`
	UploadWorkers   int             `default:"3" env:"CONVO_UPLOAD_WORKERS" help:"Number of uploaded files that a process ingests at a time."`
	CrawlWorkers    int             `default:"4" env:"CONVO_CRAWL_WORKERS" help:"Number of crawls that a process works on at a time."`
	KnowledgeShare  int             `default:"2" env:"CONVO_KNOWLEDGE_SHARE" help:"Number of uploads, and of crawls, of one workspace that all processes together work on at a time."`
	MaxUploads      int             `default:"1000" env:"CONVO_MAX_UPLOADS" help:"Maximum number of unfinished upload jobs of a workspace. More return status 429."`
	MaxCrawls       int             `default:"100" env:"CONVO_MAX_CRAWLS" help:"Maximum number of unfinished crawl jobs of a workspace. More return status 429."`
	LogLevel        string          `default:"info" enum:"debug,info,warn,error" env:"CONVO_LOG_LEVEL" help:"Minimum log level: debug, info, warn or error."`
}

// Conns returns the maximum number of database connections.
func (c Config) Conns() int32 {
	if c.DatabaseConns > 0 {
		return c.DatabaseConns
	}
	return max(minConns, int32(connsPerCore*runtime.GOMAXPROCS(0)))
}

func (c Config) webhookTimeout() time.Duration {
	if c.WebhookTimeout <= 0 {
		return sender.Timeout
	}
	return c.WebhookTimeout
}

func (c Config) webhookRetries() []time.Duration {
	if len(c.WebhookRetries) == 0 {
		return dispatcher.Schedule
	}
	return c.WebhookRetries
}

// ParseKeys decodes CONVO_SECRET_KEY, or CONVO_SECRET_KEYS with several keys separated by
// commas, newest first. Errors do not contain them.
func ParseKeys(one, several string) (key []byte, older [][]byte, err error) {
	if several == "" {
		key, err = ParseKey(one)
		return key, nil, err
	}
	if one != "" {
		return nil, nil, errors.New("CONVO_SECRET_KEY and CONVO_SECRET_KEYS are both set: set one of them")
	}
	for i, text := range strings.Split(several, ",") {
		next, err := ParseKey(strings.TrimSpace(text))
		if err != nil {
			return nil, nil, fmt.Errorf("CONVO_SECRET_KEYS: key %d must be at least %d bytes in hexadecimal", i+1, minKeyBytes)
		}
		older = append(older, next)
	}
	return older[0], older[1:], nil
}

// ParseKey decodes the secret key: at least 32 bytes in hexadecimal.
func ParseKey(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("CONVO_SECRET_KEY is not set: generate one with `openssl rand -hex 32` and give all replicas the same")
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) < minKeyBytes {
		return nil, fmt.Errorf("CONVO_SECRET_KEY must be at least %d bytes in hexadecimal", minKeyBytes)
	}
	return key, nil
}

// clientIP returns a function that gives the client's address: from X-Forwarded-For if a
// trusted proxy sent it, otherwise the peer's.
func (c Config) clientIP() (func(*http.Request) string, error) {
	if len(c.TrustedProxies) == 0 {
		return echo.ExtractIPDirect(), nil
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for i, text := range c.TrustedProxies {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return nil, fmt.Errorf("CONVO_TRUSTED_PROXIES: network %d of %d is not in CIDR notation, such as 10.0.0.0/8", i+1, len(c.TrustedProxies))
		}
		options = append(options, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(options...), nil
}
