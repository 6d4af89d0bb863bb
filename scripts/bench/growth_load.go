//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// volume is how much a database holds.
type volume struct {
	leads, conversations, passages int
}

const (
	messagesEach   = 10
	longTranscript = 10_000 // messages of one conversation in each database
)

// The statements of growthRows make rows in PostgreSQL itself. $1 is the workspace and $2
// the number of rows; identifiers sort by time, as those of the server do. One in ten
// leads has no score; stages and statuses are spread unevenly.
const growthFunctions = `
CREATE FUNCTION bench_id(at double precision, kind integer, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((at * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(kind), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid
$$;
-- The time of row i of n, spread over the year before the load.
CREATE FUNCTION bench_time(i bigint, n bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT %d - 31536000 * (1 - i::double precision / n)
$$;`

var growthRows = []struct {
	table string
	count func(volume) int
	sql   string
}{
	{"leads", func(v volume) int { return v.leads }, `
INSERT INTO leads (workspace_id, id, status, fields, score, source, created_at, updated_at)
SELECT $1, bench_id(at, 1, i), CASE WHEN i % 1000 = 7 THEN 'LOST' WHEN i % 10 < 5 THEN 'NEW' WHEN i % 10 < 7 THEN 'QUALIFIED' WHEN i % 10 < 9 THEN 'CONTACTED' ELSE 'WON' END,
    jsonb_build_object('name', 'Lead ' || i, 'email', 'lead.' || i || '@example.com', 'phone', '+48 ' || 100000000 + i),
    CASE WHEN i % 10 = 3 THEN NULL ELSE (i * 7919 % 101)::smallint END, 'seed', to_timestamp(at), to_timestamp(at)
FROM generate_series(1, $2::bigint) AS i, bench_time(i, $2) AS at`},
	{"contacts", func(v volume) int { return v.conversations }, `
INSERT INTO contacts (workspace_id, id, name, email, created_at)
SELECT $1, bench_id(at, 3, i), 'Contact ' || i, 'contact.' || i || '@example.com', to_timestamp(at)
FROM generate_series(1, $2::bigint) AS i, bench_time(i, $2) AS at`},
	{"conversations", func(v volume) int { return v.conversations }, `
INSERT INTO conversations (workspace_id, id, agent_id, channel_id, contact_id, status, last_message_at, handed_off_at, first_operator_reply_at, created_at, updated_at)
SELECT $1, bench_id(at, 2, i), agents.ids[1 + i % cardinality(agents.ids)], channels.ids[1 + i % cardinality(channels.ids)], bench_id(at, 3, i),
    CASE WHEN i % 20 = 0 THEN 'HANDED_OFF' WHEN i % 20 < 6 THEN 'OPEN' ELSE 'CLOSED' END, to_timestamp(at + 600),
    CASE WHEN i % 20 = 0 THEN to_timestamp(at + 60) END, CASE WHEN i % 20 = 0 THEN to_timestamp(at + 60 + i % 500) END, to_timestamp(at), to_timestamp(at + 600)
FROM generate_series(1, $2::bigint) AS i, bench_time(i, $2) AS at,
    (SELECT array_agg(id ORDER BY id) AS ids FROM agents WHERE workspace_id = $1) AS agents,
    (SELECT array_agg(id ORDER BY id) AS ids FROM channels WHERE workspace_id = $1) AS channels`},
	{"conversation_status_changes", func(v volume) int { return v.conversations }, `
INSERT INTO conversation_status_changes (workspace_id, conversation_id, from_status, to_status, changed_at)
SELECT $1, bench_id(at, 2, i), 'OPEN', CASE WHEN i % 20 = 0 THEN 'HANDED_OFF' ELSE 'CLOSED' END, to_timestamp(at + 60)
FROM generate_series(1, $2::bigint) AS i, bench_time(i, $2) AS at WHERE i % 20 = 0 OR i % 20 >= 6`},
	{"conversation_tags", func(v volume) int { return v.conversations }, `
INSERT INTO conversation_tags (workspace_id, conversation_id, tag_id)
SELECT $1, bench_id(at, 2, i), tags.id
FROM generate_series(1, $2::bigint) AS i, bench_time(i, $2) AS at,
    (SELECT id, 2 + 7 * (row_number() OVER (ORDER BY id) - 1) AS every FROM tags WHERE workspace_id = $1) AS tags
WHERE i % tags.every = 0`},
	{"messages", func(v volume) int { return v.conversations }, messageRows + "generate_series(1, $2::bigint) AS i, generate_series(0, 9) AS k" + messageParents},
	{"messages", func(v volume) int { return v.conversations }, messageRows + "(SELECT $2::bigint / 2 AS i) AS longest, generate_series(10, 9999) AS k" + messageParents},
}

const (
	messageRows = `
INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, contact_id, agent_id, delivery_status, created_at)
SELECT $1, bench_id(at + 60 * k, 4 + k % 1000, i * 10000 + k), conversations.id, CASE WHEN k % 2 = 0 THEN 'USER' ELSE 'ASSISTANT' END,
    'Message ' || k || ' of conversation ' || i || ': do you have these boots in size 39, and when could they be delivered to Gdańsk?',
    CASE WHEN k % 2 = 0 THEN 'CONTACT' ELSE 'AGENT' END, CASE WHEN k % 2 = 0 THEN bench_id(at, 3, i) END, CASE WHEN k % 2 = 1 THEN agents.id END,
    CASE WHEN k % 2 = 0 THEN 'RECEIVED' ELSE 'DELIVERED' END, to_timestamp(at + 60 * k)
FROM `
	messageParents = `, bench_time(i, $2) AS at, LATERAL (SELECT bench_id(at, 2, i) AS id) AS conversations,
    (SELECT id FROM agents WHERE workspace_id = $1 ORDER BY id LIMIT 1) AS agents`
)

// fill loads a database. Foreign keys are not checked and secondary indexes are built
// afterwards, which is several times as fast.
func fill(ctx context.Context, url string, space uuid.UUID, size volume) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	for _, statement := range []string{"SET session_replication_role = replica", "SET maintenance_work_mem = '1GB'", fmt.Sprintf(growthFunctions, time.Now().Unix())} {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	indexes, err := dropIndexes(ctx, conn)
	if err != nil {
		return err
	}
	for _, rows := range growthRows {
		started := time.Now()
		if _, err := conn.Exec(ctx, rows.sql, space, rows.count(size)); err != nil {
			return fmt.Errorf("fill %s: %w", rows.table, err)
		}
		progressf("%s: %d, %s", rows.table, rows.count(size), time.Since(started).Round(time.Second/10))
	}
	if err := fillPassages(ctx, conn, space, size.passages); err != nil {
		return err
	}
	for _, statement := range append(indexes, "SELECT rebuild_analytics()", "UPDATE workspaces SET rate_limit_per_minute = 1000000000", "VACUUM ANALYZE", "CHECKPOINT") {
		started := time.Now()
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		progressf("%.100s: %s", statement, time.Since(started).Round(time.Second/10))
	}
	return nil
}

// dropIndexes drops the secondary indexes of the tables to fill, and returns the statements
// that create them again.
func dropIndexes(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
SELECT indexdef, indexname FROM pg_indexes
WHERE schemaname = 'public' AND tablename IN ('leads', 'contacts', 'conversations', 'conversation_status_changes', 'conversation_tags', 'messages', 'knowledge_chunks')
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)`)
	if err != nil {
		return nil, fmt.Errorf("indexes: %w", err)
	}
	var create, drop []string
	var definition, name string
	if _, err := pgx.ForEachRow(rows, []any{&definition, &name}, func() error {
		create, drop = append(create, definition), append(drop, name)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("indexes: %w", err)
	}
	if _, err := conn.Exec(ctx, "DROP INDEX "+strings.Join(drop, ", ")); err != nil {
		return nil, fmt.Errorf("drop indexes: %w", err)
	}
	return create, nil
}

const (
	passageWords = 120
	vocabulary   = 20_000
)

// word returns a word as frequent as in a language: a few are everywhere, many are rare.
func word() func() string {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, vocabulary)
	return func() string { return fmt.Sprintf("word%d", zipf.Uint64()) }
}

// fillPassages loads passages of one source by COPY, with their terms.
func fillPassages(ctx context.Context, conn *pgx.Conn, space uuid.UUID, n int) error {
	const source = "00000000-0000-7000-8000-000000000001"
	for _, statement := range []string{
		"INSERT INTO knowledge_sources (workspace_id, id, type, url, depth, created_at, updated_at) VALUES ($1, $2, 'CRAWL', 'https://x.example', 1, now(), now())",
		"INSERT INTO knowledge_documents (workspace_id, source_id, url, content_hash) VALUES ($1, $2, 'https://x.example', '')",
	} {
		if _, err := conn.Exec(ctx, statement, space, source); err != nil {
			return fmt.Errorf("fill passages: %w", err)
		}
	}
	started := time.Now()
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(writePassages(writer, space, source, n)) }()
	_, err := conn.PgConn().CopyFrom(ctx, reader, "COPY knowledge_chunks (workspace_id, source_id, id, document_url, content, terms) FROM STDIN")
	_ = reader.Close() // ends the writer if COPY has failed
	if err != nil {
		return fmt.Errorf("fill passages: %w", err)
	}
	progressf("knowledge_chunks: %d, %s", n, time.Since(started).Round(time.Second/10))
	return nil
}

func writePassages(to io.Writer, space uuid.UUID, source string, n int) error {
	w, next := bufio.NewWriterSize(to, 1<<20), word()
	everywhere := "'w" + hex.EncodeToString(space[:]) + "'"
	for range n {
		fmt.Fprintf(w, "%s\t%s\t%s\thttps://x.example\t", space, source, uuid.New())
		terms := make([]string, passageWords)
		for i := range terms {
			text := next()
			_, _ = w.WriteString(text) // Flush reports the error
			_ = w.WriteByte(' ')
			terms[i] = fmt.Sprintf("'%s':%d", text, i+1)
		}
		fmt.Fprintf(w, "\t%s %s\n", strings.Join(terms, " "), everywhere)
	}
	return w.Flush()
}
