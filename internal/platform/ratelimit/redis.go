package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// take counts a request, which opens a window if none is open. It returns the count
// and the milliseconds left.
var take = redis.NewScript(`
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {count, redis.call('PTTL', KEYS[1])}
`)

// keyPrefix separates the counts from other keys of the database.
const keyPrefix = "convo:ratelimit:"

// OpenRedis returns a client for a Redis URL (redis://, rediss:// or unix://) whose
// calls end within 100 ms. The error never contains the URL, which may hold a
// password. The caller closes the client.
func OpenRedis(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("not a Redis URL: want redis://[user:password@]host:port[/database], rediss:// or unix://")
	}
	silence()
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = patience, patience, patience, patience
	options.ContextTimeoutEnabled = true
	options.MaxRetries, options.DialerRetries = -1, 1
	return redis.NewClient(options), nil
}

// silence turns off the client's own log, which has a line for each failed dial: Shared
// logs the beginning and the end of an outage.
var silence = sync.OnceFunc(func() { redis.SetLogger(noLog{}) })

type noLog struct{}

// Printf implements go-redis's logger.
func (noLog) Printf(context.Context, string, ...any) {}

// Redis counts in a Redis server, for replicas that share their limits.
type Redis struct{ client redis.Scripter }

// NewRedis returns a limiter over a client.
func NewRedis(client redis.Scripter) *Redis { return &Redis{client: client} }

// Take implements Limiter. It fails if Redis cannot be reached.
func (r *Redis) Take(ctx context.Context, key string, limit Limit) (Result, error) {
	reply, err := take.Run(ctx, r.client, []string{keyPrefix + key}, limit.Window.Milliseconds()).Int64Slice()
	if err != nil {
		return Result{}, fmt.Errorf("count in Redis: %w", err)
	}
	if len(reply) != 2 {
		return Result{}, errors.New("count in Redis: unexpected reply")
	}
	return result(reply[0], limit, time.Duration(reply[1])*time.Millisecond), nil
}
