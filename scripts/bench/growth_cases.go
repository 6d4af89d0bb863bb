//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// growthCase is one kind of request. path returns the path of the next request; body is
// that of a POST.
type growthCase struct {
	name  string
	keyed bool
	path  func(ctx context.Context, s *side) (func() string, error)
	body  func() string
}

const (
	growthPage    = 10  // rows
	growthDepth   = 300 // pages
	growthSamples = 500 // ids for single reads
)

// growthLists are the lists with their filters and sort orders. AGENT, CHANNEL, TAG and TAGS
// stand for ids.
var growthLists = []string{
	"leads?sort=newest", "leads?sort=score", "leads?status=NEW", "leads?status=NEW&sort=score", "leads?status=LOST", "leads?status=LOST&sort=score",
	"conversations", "conversations?status=OPEN", "conversations?status=HANDED_OFF", "conversations?agentId=AGENT", "conversations?channelId=CHANNEL",
	"conversations?agentId=AGENT&status=OPEN", "conversations?agentId=AGENT&channelId=CHANNEL&status=HANDED_OFF",
	"conversations?tagIds=TAG", "conversations?tagIds=TAGS", "conversations?tagIds=TAG&status=OPEN", "conversations?tagIds=TAGS&agentId=AGENT&status=OPEN",
}

func growthCases() []growthCase {
	var cases []growthCase
	for _, list := range growthLists {
		cases = append(cases, growthCase{name: "`GET /" + list + "`", keyed: true, path: func(_ context.Context, s *side) (func() string, error) {
			return s.page(list, 1)
		}}, growthCase{name: fmt.Sprintf("the same, page %d", growthDepth), keyed: true, path: func(_ context.Context, s *side) (func() string, error) {
			return s.page(list, growthDepth)
		}})
	}
	next := word()
	search := func() string { return fmt.Sprintf(`{"query":"%s %s %s","limit":10}`, next(), next(), next()) }
	return append(cases,
		one("`GET /leads/{id}`", "/leads/", 1, func(v volume) int { return v.leads }, anyRow, ""),
		one("`GET /conversations/{id}`, 10 messages", "/conversations/", 2, conversations, anyRow, ""),
		one("`GET /conversations/{id}`, 10,000 messages", "/conversations/", 2, conversations, "$2::bigint / 2", ""),
		one("`GET /conversations/{id}/messages`, of 10,000", "/conversations/", 2, conversations, "$2::bigint / 2", "/messages?limit=10"),
		growthCase{name: "`GET /analytics/overview`, a year", keyed: true, path: analytics("/analytics/overview?")},
		growthCase{name: "`GET /analytics/timeseries`, a year by week and agent", keyed: true, path: analytics("/analytics/timeseries?granularity=week&groupBy=agent&")},
		growthCase{name: "`POST /knowledge/search`", path: fixed("/knowledge/search"), body: search},
	)
}

// anyRow is the number of a random row of $2.
const anyRow = "1 + floor(random() * ($2::bigint - 1))::bigint"

func conversations(v volume) int { return v.conversations }

func fixed(path string) func(context.Context, *side) (func() string, error) {
	return func(context.Context, *side) (func() string, error) { return func() string { return path }, nil }
}

// analytics returns the path of a report of the year before today.
func analytics(path string) func(context.Context, *side) (func() string, error) {
	to := time.Now().UTC().Truncate(24 * time.Hour)
	query := url.Values{"from": {to.AddDate(-1, 0, 0).Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	return fixed(path + query.Encode())
}

// one reads single resources. Their ids are those of growthRows, of a kind and of a row that
// an expression gives.
func one(name, prefix string, kind int, count func(volume) int, row, suffix string) growthCase {
	return growthCase{name: name, keyed: true, path: func(ctx context.Context, s *side) (func() string, error) {
		ids, err := s.query(ctx, "SELECT bench_id(bench_time(i, $2), $1, i)::text FROM (SELECT "+row+" AS i FROM generate_series(1, $3)) AS sampled",
			kind, count(s.size), growthSamples)
		if err != nil {
			return nil, fmt.Errorf("ids for %s: %w", name, err)
		}
		i := 0
		return func() string { i++; return prefix + ids[i%len(ids)] + suffix }, nil
	}}
}

func (s *side) query(ctx context.Context, query string, args ...any) ([]string, error) {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// page returns the path of a page of a list. It walks there by larger pages: a cursor can
// be used with any limit.
func (s *side) page(list string, number int) (func() string, error) {
	path, err := s.named(list)
	if err != nil {
		return nil, err
	}
	const stride = 200
	cursor := ""
	for at := 0; at < (number-1)*growthPage; {
		limit := min(stride, (number-1)*growthPage-at)
		response, err := s.get(with(path, limit, cursor))
		if err != nil {
			return nil, err
		}
		_ = response.Body.Close()
		if cursor = response.Header.Get("X-Next-Cursor"); cursor == "" {
			return nil, nil //nolint:nilnil // the list has no such page
		}
		at += limit
	}
	path = with(path, growthPage, cursor)
	return func() string { return path }, nil
}

func with(path string, limit int, cursor string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	path += fmt.Sprintf("%slimit=%d", separator, limit)
	if cursor != "" {
		path += "&cursor=" + cursor
	}
	return path
}

// named replaces the names of ids by ids.
func (s *side) named(list string) (string, error) {
	var ids [3][]string
	for i, name := range []string{"agents", "channels", "tags"} {
		if !strings.Contains(list, strings.ToUpper(name[:3])) && !strings.Contains(list, "CHANNEL") {
			continue
		}
		response, err := s.get("/" + name)
		if err != nil {
			return "", err
		}
		var rows []struct{ ID string }
		err = json.NewDecoder(response.Body).Decode(&rows)
		_ = response.Body.Close()
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		for _, row := range rows {
			ids[i] = append(ids[i], row.ID)
		}
		slices.Sort(ids[i])
	}
	first := func(of []string) string {
		if len(of) == 0 {
			return ""
		}
		return of[0]
	}
	tags := strings.Join(ids[2][:min(2, len(ids[2]))], ",")
	return "/" + strings.NewReplacer("AGENT", first(ids[0]), "CHANNEL", first(ids[1]), "TAGS", tags, "TAG", first(ids[2])).Replace(list), nil
}

func (s *side) get(path string) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+s.server.addr+"/api/v1"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", path, response.Status)
	}
	return response, nil
}

// measure sends each kind of request to both sides in turns.
func (c *growthCommand) measure(ctx context.Context, sides []*side) ([]growthRow, error) {
	var rows []growthRow
	for _, one := range growthCases() {
		var paths []func() string
		for _, s := range sides {
			path, err := one.path(ctx, s)
			if err != nil {
				return nil, err
			}
			if path != nil {
				paths = append(paths, path)
			}
		}
		if len(paths) < len(sides) {
			continue // the list is too short
		}
		row := growthRow{name: one.name, keyed: one.keyed}
		took, err := c.take(ctx, one, sides, paths)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		for i := range sides {
			row.p50 = append(row.p50, quantile(took[i], 0.5))
		}
		fmt.Fprintf(os.Stderr, "%s: %s, %s, × %.2f\n", row.name, row.p50[0], row.p50[1], row.times())
		rows = append(rows, row)
	}
	return rows, nil
}

// take returns the sorted response times of each side. The first tenth warms up.
func (c *growthCommand) take(ctx context.Context, one growthCase, sides []*side, paths []func() string) ([][]time.Duration, error) {
	for _, s := range sides {
		var err error
		if s.client, err = dial(ctx, s.server.addr); err != nil {
			return nil, err
		}
		defer s.client.conn.Close()
	}
	took := make([][]time.Duration, len(sides))
	for round := range c.Rounds + c.Rounds/10 {
		for i, s := range sides {
			work := &workload{status: http.StatusOK, write: func(buf []byte, _ *tenant) []byte { return s.request(buf, paths[i](), one.body) }}
			started := time.Now()
			if err := s.client.ask(work, nil); err != nil {
				return nil, err
			}
			if round >= c.Rounds/10 {
				took[i] = append(took[i], time.Since(started))
			}
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	return took, nil
}

func (s *side) request(buf []byte, path string, body func() string) []byte {
	if body == nil {
		return fmt.Appendf(buf, "GET /api/v1%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", path, s.token)
	}
	content := body()
	return fmt.Appendf(buf, "POST /api/v1%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, s.token, len(content), content)
}
