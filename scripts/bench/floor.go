//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/openapi/timestamp"
)

// floorCommand is the minimal server: net/http, pgx, the same SQL, JSON appended by hand,
// a token check against a map, and nothing else.
type floorCommand struct{}

type floor struct {
	pool   *pgxpool.Pool
	tokens map[token.Hash]uuid.UUID
	ids    *id.Generator
}

// Run implements the command.
func (*floorCommand) Run(ctx context.Context) error {
	pool, err := openPool(ctx)
	if err != nil {
		return err
	}
	f := &floor{pool: pool, tokens: map[token.Hash]uuid.UUID{}, ids: id.NewGenerator(clock.System{})}
	rows, err := pool.Query(ctx, "SELECT token_hash, workspace_id FROM api_tokens")
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	for rows.Next() {
		var hash []byte
		var workspace uuid.UUID
		if err := rows.Scan(&hash, &workspace); err != nil {
			return fmt.Errorf("tokens: %w", err)
		}
		f.tokens[token.Hash(hash)] = workspace
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /api/v1/leads", f.list)
	mux.HandleFunc("GET /api/v1/leads/{id}", f.get)
	mux.HandleFunc("POST /api/v1/leads", f.create)
	return serveReference(ctx, mux)
}

func openPool(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	conns, err := strconv.ParseInt(os.Getenv("CONVO_DATABASE_CONNS"), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("CONVO_DATABASE_CONNS: %w", err)
	}
	config.MaxConns = int32(conns)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	return pool, nil
}

func serveReference(ctx context.Context, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Printf("{\"addr\":%q}\n", listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func (f *floor) caller(r *http.Request) (uuid.UUID, bool) {
	hash, ok := token.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if !ok {
		return uuid.Nil, false
	}
	workspace, ok := f.tokens[hash]
	return workspace, ok
}

func (f *floor) list(w http.ResponseWriter, r *http.Request) {
	workspace, ok := f.caller(r)
	limit, err := strconv.ParseInt(r.URL.Query().Get("limit"), 10, 32)
	if !ok || err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	rows, err := db.New().LeadListNewest(r.Context(), f.pool, db.LeadListNewestParams{WorkspaceID: workspace, BeforeID: id.Max, RowLimit: int32(limit) + 1})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	body := append(make([]byte, 0, 16<<10), '[')
	for i, row := range rows[:min(len(rows), int(limit))] {
		if i > 0 {
			body = append(body, ',')
		}
		body = floorLead(body, row)
	}
	respond(w, http.StatusOK, append(body, ']'))
}

func (f *floor) get(w http.ResponseWriter, r *http.Request) {
	workspace, ok := f.caller(r)
	leadID, err := uuid.Parse(r.PathValue("id"))
	if !ok || err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	row, err := db.New().LeadGet(r.Context(), f.pool, db.LeadGetParams{WorkspaceID: workspace, ID: leadID})
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	respond(w, http.StatusOK, floorLead(nil, row))
}

func (f *floor) create(w http.ResponseWriter, r *http.Request) {
	workspace, ok := f.caller(r)
	raw, err := io.ReadAll(r.Body)
	var in struct {
		Fields json.RawMessage `json:"fields"`
		Source *string         `json:"source"`
	}
	if !ok || err != nil || json.Unmarshal(raw, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	row, err := db.New().LeadCreate(r.Context(), f.pool, newLead(f.ids, workspace, in.Fields, in.Source))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	respond(w, http.StatusCreated, floorLead(nil, db.Lead(row)))
}

// newLead returns the arguments that all servers pass to the same statement.
func newLead(ids *id.Generator, workspace uuid.UUID, fields []byte, source *string) db.LeadCreateParams {
	leadID, now := ids.New()
	eventID, _ := ids.New()
	lead := db.Lead{ID: leadID, Status: "NEW", Fields: fields, Source: source, CreatedAt: now, UpdatedAt: now}
	return db.LeadCreateParams{
		WorkspaceID: workspace, ID: leadID, Fields: fields, Source: source, CreatedAt: now,
		EventID: eventID, EventData: `{"lead":` + string(representation.AppendLead(nil, &lead)) + `}`,
	}
}

func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has disconnected
}

func floorLead(b []byte, row db.Lead) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, row.ID.String()...)
	b = append(b, `","status":"`...)
	b = append(b, row.Status...)
	b = append(b, `","fields":`...)
	b = append(b, row.Fields...)
	b = append(b, `,"score":`...)
	if row.Score == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(*row.Score), 10)
	}
	b = append(b, `,"source":`...)
	b = floorText(b, row.Source)
	b = append(b, `,"conversationId":null,"crmExternalId":`...)
	b = floorText(b, row.CrmExternalID)
	b = append(b, `,"createdAt":"`...)
	b = row.CreatedAt.UTC().AppendFormat(b, timestamp.Layout)
	b = append(b, `","updatedAt":"`...)
	b = row.UpdatedAt.UTC().AppendFormat(b, timestamp.Layout)
	return append(b, `"}`...)
}

func floorText(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return strconv.AppendQuote(b, *text)
}
