//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
)

const (
	// perAddress is how many streams one address opens; the server allows 1,000.
	perAddress = 900
	openers    = 32 // streams that are being opened at the same time
	talkers    = 32
	openLimit  = 30 * time.Second // for one stream
	// arriveLimit is how long messages may take that were sent last.
	arriveLimit = 10 * time.Second
	greeting    = "Do you have these shoes in 39?"
)

var secretKey = strings.Repeat("ab", 32)

// crowd are the visitors of a website.
type crowd struct {
	server  *server
	token   string
	all     []visitor
	arrived []atomic.Int64 // nanoseconds since started, by message
	started time.Time
}

// visitor is a visitor with a conversation that is handed off.
type visitor struct {
	conversation uuid.UUID
	session      string
	stream       net.Conn
}

// gather creates visitors, each with a conversation and a message.
func gather(ctx context.Context, g *ground, count int) (*crowd, error) {
	ids, space := id.NewGenerator(clock.System{}), g.workspaces[0].id
	c := &crowd{all: make([]visitor, count)}
	var err error
	if c.token, _, err = (&token.Service{DB: g.on, IDs: ids, Clock: clock.System{}}).Create(ctx, g.on, token.NewToken{
		WorkspaceID: space, Name: "operator", Scopes: []api.Scope{api.ScopeConversationsWrite},
	}); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	key, err := app.ParseKey(secretKey)
	if err != nil {
		return nil, err
	}
	tokens, err := widget.NewTokens(clock.System{}, key)
	if err != nil {
		return nil, err
	}
	channel, conversations := uuid.New(), make([]uuid.UUID, count)
	for i := range c.all {
		conversations[i], _ = ids.New()
		session, _, err := tokens.Sign(widget.Visitor{WorkspaceID: space, ChannelID: channel, ExternalID: fmt.Sprint("visitor:", i)})
		if err != nil {
			return nil, err
		}
		c.all[i] = visitor{conversation: conversations[i], session: session}
	}
	return c, c.insert(ctx, g, space, channel, conversations)
}

// insert stores the conversations.
func (*crowd) insert(ctx context.Context, g *ground, space, channel uuid.UUID, conversations []uuid.UUID) error {
	for _, statement := range []string{
		`INSERT INTO agents (workspace_id, id, name, status, model_provider, model_name, temperature, max_tokens, created_at, updated_at)
			SELECT $1, $2, 'Agent', 'PUBLISHED', 'openai', 'gpt', 1, 1024, now(), now() WHERE $3::uuid[] IS NOT NULL`,
		`INSERT INTO channels (workspace_id, id, type, name, agent_id, status, created_at, updated_at)
			SELECT $1, $2, 'WEBSITE', 'Site', $2, 'CONNECTED', now(), now() WHERE $3::uuid[] IS NOT NULL`,
		`INSERT INTO contacts (workspace_id, id, created_at) SELECT $1, one, now() FROM unnest($3::uuid[]) AS one WHERE $2::uuid IS NOT NULL`,
		`INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, created_at, last_seen_at)
			SELECT $1, $2, 'visitor:' || number - 1, one, false, now(), now() FROM unnest($3::uuid[]) WITH ORDINALITY AS each (one, number)`,
		`INSERT INTO conversations (workspace_id, id, agent_id, channel_id, contact_id, status, identity_external_id, revision, created_at, updated_at)
			SELECT $1, one, $2, $2, one, 'HANDED_OFF', 'visitor:' || number - 1, 1, now(), now() FROM unnest($3::uuid[]) WITH ORDINALITY AS each (one, number)`,
		`INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, contact_id, delivery_status, revision, created_at)
			SELECT $1, one AS id, one AS conversation, 'USER', '` + greeting + `', 'CONTACT', one, 'RECEIVED', 1, now() FROM unnest($3::uuid[]) AS one WHERE $2::uuid IS NOT NULL`,
	} {
		if _, err := g.on.Exec(ctx, statement, space, channel, conversations); err != nil {
			return fmt.Errorf("store conversations: %w", err)
		}
	}
	if _, err := g.on.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

// addresses is how many addresses open streams.
func addresses(streams int) int { return (streams + perAddress - 1) / perAddress }

// open opens the streams of some visitors, and returns once each has received its message.
func (c *crowd) open(ctx context.Context, from, to int) error {
	next, failures := make(chan int), make([]error, openers)
	var opening sync.WaitGroup
	for opener := range openers {
		opening.Go(func() {
			for i := range next {
				failures[opener] = errors.Join(failures[opener], c.follow(ctx, i))
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	opening.Wait()
	return errors.Join(failures...)
}

func (c *crowd) follow(ctx context.Context, i int) error {
	v := &c.all[i]
	const firstHost = 2 // of 127.0.0.0/24
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(firstHost+i/perAddress))}}
	stream, err := dialer.DialContext(ctx, "tcp", c.server.addr)
	if err != nil {
		return fmt.Errorf("connect (10,000 streams need as many open files: see ulimit -n): %w", err)
	}
	v.stream = stream
	if err := stream.SetReadDeadline(time.Now().Add(openLimit)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := fmt.Fprintf(stream, "GET /api/v1/widget/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", v.session); err != nil {
		return fmt.Errorf("open stream: %w", err)
	}
	const buffer = 2 << 10 // bytes
	lines := bufio.NewReaderSize(stream, buffer)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("stream %d: %w", i, err)
		}
		if strings.HasPrefix(line, "data: ") && strings.Contains(line, greeting) {
			break
		}
	}
	go c.watch(stream, lines)
	return stream.SetReadDeadline(time.Time{})
}

// watch notes when messages arrive, until the stream ends.
func (c *crowd) watch(stream net.Conn, lines *bufio.Reader) {
	defer stream.Close()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		_, rest, found := strings.Cut(line, `"content":"bench `)
		text, _, _ := strings.Cut(rest, `"`)
		if n, err := strconv.Atoi(text); found && err == nil && n < len(c.arrived) {
			c.arrived[n].CompareAndSwap(0, int64(time.Since(c.started)))
		}
	}
}

// leave closes all streams.
func (c *crowd) leave() {
	for i := range c.all {
		if stream := c.all[i].stream; stream != nil {
			_ = stream.Close() // it may have been closed
			c.all[i].stream = nil
		}
	}
}

// talk sends messages at a rate to random visitors of the first count. It returns the times
// from when each was due until it arrived.
func (c *crowd) talk(ctx context.Context, rate int, length time.Duration, count int) (latencies []time.Duration, lost int, err error) {
	due := make([]time.Duration, int(length.Seconds()*float64(rate)))
	c.arrived = make([]atomic.Int64, len(due))
	next := make(chan int)
	var sending sync.WaitGroup
	failures := make([]error, talkers)
	c.started = time.Now()
	for i := range talkers {
		sending.Go(func() {
			for n := range next {
				failures[i] = errors.Join(failures[i], c.say(ctx, c.all[rand.IntN(count)].conversation, n))
			}
		})
	}
	for n := range due {
		due[n] = time.Duration(n) * time.Second / time.Duration(rate)
		time.Sleep(due[n] - time.Since(c.started))
		next <- n
	}
	close(next)
	sending.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, 0, err
	}
	for deadline := time.Now().Add(arriveLimit); time.Now().Before(deadline); time.Sleep(time.Second) {
		latencies, lost = nil, 0
		for n := range due {
			if at := time.Duration(c.arrived[n].Load()); at > 0 {
				latencies = append(latencies, at-due[n])
			} else {
				lost++
			}
		}
		if lost == 0 {
			break
		}
	}
	return latencies, lost, nil
}

func (c *crowd) say(ctx context.Context, conversation uuid.UUID, n int) error {
	body := strings.NewReader(fmt.Sprintf(`{"content":"bench %d"}`, n))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.server.addr+"/api/v1/conversations/"+conversation.String()+"/operator-message", body)
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := talking.Do(request)
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		return fmt.Errorf("message: %d %s: %w", response.StatusCode, said, err)
	}
	return nil
}

var talking = http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: talkers}}

// readMetrics reads the metrics of a server that have no labels.
func readMetrics(ctx context.Context, ops string) (map[string]int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer response.Body.Close()
	metrics := map[string]int64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			metrics[name] = int64(value)
		}
	}
	return metrics, lines.Err()
}
