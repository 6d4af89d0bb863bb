//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
)

// providers are the simulators of all routes. They note when messages arrive.
type providers struct {
	server *http.Server
	url    string
	all    []simulator.Simulator

	mu                  sync.Mutex
	started             time.Time
	arrived             []time.Duration // since started, by message; 0 for none
	total               int
	last                map[string]int // message of a conversation
	doubled, disordered int
}

func openProviders(ctx context.Context) (*providers, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p, mux := &providers{url: "http://" + listener.Addr().String(), last: map[string]int{}}, http.NewServeMux()
	for i, one := range routes {
		sim, err := simulator.New(ctx, one.kind)
		if err != nil {
			return nil, fmt.Errorf("simulator of %s: %w", one.kind, err)
		}
		accepting, ok := sim.(interface {
			OnAccepted(then func(simulator.Message))
		})
		if !ok {
			return nil, fmt.Errorf("the simulator of %s does not tell what it has accepted", one.kind)
		}
		accepting.OnAccepted(func(m simulator.Message) { p.accept(i, m) })
		p.all = append(p.all, sim)
		path := "/" + strconv.Itoa(i)
		mux.Handle(path+"/", http.StripPrefix(path, sim))
	}
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go p.server.Serve(listener) //nolint:errcheck // ends when the server is closed
	return p, nil
}

func (p *providers) close() { _ = p.server.Close() } // no requests are in flight

// begin begins to note messages, of which there are at most some.
func (p *providers) begin(most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started, p.arrived, p.total = time.Now(), make([]time.Duration, most), 0
	clear(p.last)
}

// accept notes a message. Its text is its number, which grows in each conversation.
func (p *providers) accept(route int, m simulator.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := strconv.Atoi(m.Text)
	if err != nil || n >= len(p.arrived) {
		return
	}
	if p.arrived[n] != 0 {
		p.doubled++
		return
	}
	p.arrived[n] = time.Since(p.started)
	p.total++
	conversation := strconv.Itoa(route) + " " + m.To
	if last, ok := p.last[conversation]; ok && last > n {
		p.disordered++
	}
	p.last[conversation] = n
}

func (p *providers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// queue queues messages of a workspace in the conversations of all routes.
type queue struct {
	*ground

	space  uuid.UUID
	box    *seal.Box
	ids    *id.Generator
	routes []queuedRoute
}

type queuedRoute struct {
	channel       uuid.UUID
	conversations []uuid.UUID
	rate          float64 // messages per second
	offered       int
}

func (q *queue) conversations() (n int) {
	for _, one := range q.routes {
		n += len(one.conversations)
	}
	return n
}

// connectRoutes stores the channels with what their simulators accept, and their conversations.
func connectRoutes(ctx context.Context, g *ground, p *providers, rate int) (*queue, error) {
	q, err := newQueue(g, g.workspaces[0].id)
	if err != nil {
		return nil, err
	}
	for i, one := range routes {
		share := float64(one.share*rate) / fullRate
		if err := q.connect(ctx, one, p.all[i], p.url+"/"+strconv.Itoa(i), share, max(1, int(perConversation*share))); err != nil {
			return nil, err
		}
	}
	if _, err := g.on.Exec(ctx, "ANALYZE"); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	return q, nil
}

// newQueue returns the queue of a workspace, without channels.
func newQueue(g *ground, space uuid.UUID) (*queue, error) {
	key, err := app.ParseKey(secretKey)
	if err != nil {
		return nil, err
	}
	box, err := app.NewBox(key)
	if err != nil {
		return nil, err
	}
	return &queue{ground: g, space: space, box: box, ids: id.NewGenerator(clock.System{})}, nil
}

// connect stores a channel with what its simulator accepts, and some conversations.
func (q *queue) connect(ctx context.Context, r route, sim simulator.Simulator, url string, rate float64, conversations int) error {
	settings, added := sim.Settings(), queuedRoute{channel: uuid.New(), rate: rate}
	credentials, err := json.Marshal(settings.Credentials)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	for range conversations {
		added.conversations = append(added.conversations, uuid.New())
	}
	q.routes = append(q.routes, added)
	sealed := q.box.Seal(string(credentials), channel.CredentialsContext(q.space, added.channel))
	return q.insertRoute(ctx, q.space, r, added, sealed, string(settings.Config), url)
}

func (g *ground) insertRoute(ctx context.Context, space uuid.UUID, r route, stored queuedRoute, credentials []byte, config, url string) error {
	if _, err := g.on.Exec(ctx, `INSERT INTO agents (workspace_id, id, name, status, model_provider, model_name, temperature, max_tokens, created_at, updated_at)
		VALUES ($1, $2, 'Agent', 'DRAFT', 'builtin', 'builtin', 1, 1024, now(), now())`, space, stored.channel); err != nil {
		return fmt.Errorf("store agent: %w", err)
	}
	if _, err := g.on.Exec(ctx, `INSERT INTO channels (workspace_id, id, type, name, agent_id, status, config, credentials, api_base_url, created_at, updated_at)
		VALUES ($1, $2, $3, 'Bench', $2, 'CONNECTED', $4, $5, $6, now(), now())`, space, stored.channel, r.kind, config, credentials, url); err != nil {
		return fmt.Errorf("store channel: %w", err)
	}
	for _, statement := range []string{
		`INSERT INTO contacts (workspace_id, id, created_at) SELECT $1, one, now() FROM unnest($3::uuid[]) AS one WHERE $2::uuid IS NOT NULL AND $4::text IS NOT NULL`,
		`INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, created_at, last_seen_at)
			SELECT $1, $2, $4::text || (1000000 + number), one, true, now(), now() FROM unnest($3::uuid[]) WITH ORDINALITY AS each (one, number)`,
		`INSERT INTO conversations (workspace_id, id, agent_id, channel_id, contact_id, status, created_at, identity_external_id, last_inbound_at, updated_at)
			SELECT $1, one, $2, $2, one, 'HANDED_OFF', now(), $4::text || (1000000 + number), now(), now() FROM unnest($3::uuid[]) WITH ORDINALITY AS each (one, number)`,
		// A history, so that plans are those for a workspace in use.
		`INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, delivery_status, created_at)
			SELECT $1, gen_random_uuid(), one, 'ASSISTANT', 'Hello', 'OPERATOR', 'READ', now() - interval '1 day' FROM unnest($3::uuid[]) AS one, generate_series(1, 20)
			WHERE $2::uuid IS NOT NULL AND $4::text IS NOT NULL`,
	} {
		if _, err := g.on.Exec(ctx, statement, space, stored.channel, stored.conversations, r.contact); err != nil {
			return fmt.Errorf("store conversations: %w", err)
		}
	}
	return nil
}

// offer queues messages at the rate of each route, in turn in its conversations, and returns
// when each was due.
func (q *queue) offer(ctx context.Context, started time.Time, length time.Duration) (due []time.Duration, err error) {
	for i := range q.routes {
		q.routes[i].offered = 0
	}
	for at := time.Duration(0); at < length; at += offerEvery {
		time.Sleep(at - time.Since(started))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var messages, channels, conversations []uuid.UUID
		var texts []string
		for i := range q.routes {
			one := &q.routes[i]
			for ; float64(one.offered) < one.rate*(at+offerEvery).Seconds(); one.offered++ {
				messageID, _ := q.ids.New()
				messages, channels = append(messages, messageID), append(channels, one.channel)
				conversations = append(conversations, one.conversations[one.offered%len(one.conversations)])
				texts = append(texts, strconv.Itoa(len(due)))
				due = append(due, at)
			}
		}
		if err := q.enqueue(ctx, messages, channels, conversations, texts); err != nil {
			return nil, err
		}
		q.bell.RingNow(wake.Messages)
	}
	return due, nil
}

// enqueue stores messages of operators, as the API does, each in a conversation of its own.
func (q *queue) enqueue(ctx context.Context, messages, channels, conversations []uuid.UUID, texts []string) error {
	return postgres.WithTx(ctx, q.on, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := tx.Exec(ctx, `WITH grown AS (
				UPDATE conversations SET revision = revision + 1, last_message_at = now() WHERE workspace_id = $1 AND id = ANY($3) RETURNING id, revision
			)
			INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, delivery_status, revision, created_at)
			SELECT $1, message, conversation, 'ASSISTANT', content, 'OPERATOR', 'QUEUED', grown.revision, now()
			FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS added (message, conversation, content) JOIN grown ON grown.id = added.conversation`,
			q.space, messages, conversations, texts); err != nil {
			return fmt.Errorf("store messages: %w", err)
		}
		if _, err := tx.Exec(ctx, `SELECT queue_message($1, channel, conversation, message, now(), NULL)
			FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS added (message, channel, conversation)`,
			q.space, messages, channels, conversations); err != nil {
			return fmt.Errorf("queue messages: %w", err)
		}
		return nil
	})
}

// statuses counts the messages by their status.
func (q *queue) statuses(ctx context.Context) (map[string]int, error) {
	rows, err := q.on.Query(ctx, "SELECT delivery_status, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1", q.space)
	if err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	defer rows.Close()
	statuses := map[string]int{}
	for rows.Next() {
		var status string
		var n int
		if err := rows.Scan(&status, &n); err != nil {
			return nil, fmt.Errorf("count messages: %w", err)
		}
		statuses[status] = n
	}
	return statuses, rows.Err()
}
