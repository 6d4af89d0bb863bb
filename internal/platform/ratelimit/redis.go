package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// take counts a request and opens a window with it where none is open. It
// answers with the count and the milliseconds left.
var take = redis.NewScript(`
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {count, redis.call('PTTL', KEYS[1])}
`)

// keyPrefix keeps the counts apart from what else is in the database.
const keyPrefix = "convo:ratelimit:"

// Redis counts in a Redis server: for replicas that share their limits.
type Redis struct{ client redis.Scripter }

// NewRedis returns a limiter over a client.
func NewRedis(client redis.Scripter) *Redis { return &Redis{client: client} }

// Take implements Limiter. It fails where Redis cannot be reached.
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
