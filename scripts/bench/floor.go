//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// floorCommand is the fastest server that we can write on net/http and pgx: what it costs
// to serve these requests at all. It has its own statements and encoding, and shares no
// code with the product. A server on raw epoll or fasthttp would be faster; net/http is the
// one that the product could use too.
type floorCommand struct{}

type floor struct {
	conns  chan *floorConn
	tokens map[string][16]byte // workspaces by the whole Authorization header
}

const (
	floorConns  = 16
	leadsPath   = "/api/v1/leads"
	leadPath    = leadsPath + "/"
	floorBuffer = 32 << 10 // bytes; fits a page of 50 leads
)

// jsonType is shared by all responses, so that setting the header allocates nothing.
var jsonType = []string{"application/json"}

// scratch holds the buffers of a request, which are reused.
type scratch struct {
	in, event, out []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{out: make([]byte, 0, floorBuffer)} }}

// Run implements the command.
func (*floorCommand) Run(ctx context.Context) error {
	f := &floor{conns: make(chan *floorConn, floorConns), tokens: map[string][16]byte{}}
	for range floorConns {
		conn, err := connectFloor(ctx, os.Getenv("DATABASE_URL"))
		if err != nil {
			return err
		}
		f.conns <- conn
	}
	tokens, err := readTokens(os.Getenv("BENCH_TOKENS"))
	if err != nil {
		return err
	}
	for token, workspace := range tokens {
		f.tokens["Bearer "+token] = workspace
	}
	return serveReference(ctx, f)
}

// readTokens parses token=workspace pairs, separated by commas. The database stores hashes
// only, and the floor must not spend time on computing them.
func readTokens(pairs string) (map[string][16]byte, error) {
	tokens := map[string][16]byte{}
	for pair := range strings.SplitSeq(pairs, ",") {
		token, text, _ := strings.Cut(pair, "=")
		workspace, err := uuid.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("BENCH_TOKENS: %w", err)
		}
		tokens[token] = workspace
	}
	return tokens, nil
}

// ServeHTTP implements http.Handler. Comparing three paths is faster than http.ServeMux.
func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if path == "/readyz" {
		return
	}
	header := r.Header["Authorization"]
	if len(header) != 1 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	workspace, ok := f.tokens[header[0]]
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	switch {
	case !ok:
		w.WriteHeader(http.StatusUnauthorized)
	case path == leadsPath && r.Method == http.MethodGet:
		f.list(w, r, workspace, s)
	case path == leadsPath && r.Method == http.MethodPost:
		f.create(w, r, workspace, s)
	case strings.HasPrefix(path, leadPath) && r.Method == http.MethodGet:
		f.get(w, path[len(leadPath):], workspace, s)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *floor) list(w http.ResponseWriter, r *http.Request, workspace [16]byte, s *scratch) {
	text, _ := strings.CutPrefix(r.URL.RawQuery, "limit=")
	limit, err := strconv.Atoi(text)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	conn := <-f.conns
	s.out, err = conn.appendLeads(s.out[:0], workspace, limit)
	f.conns <- conn
	f.respond(w, r, http.StatusOK, s, err)
}

func (f *floor) get(w http.ResponseWriter, text string, workspace [16]byte, s *scratch) {
	lead, err := uuid.Parse(text)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	conn := <-f.conns
	s.out, err = conn.appendLead(s.out[:0], workspace, lead)
	f.conns <- conn
	if err == nil && len(s.out) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	f.respond(w, nil, http.StatusOK, s, err)
}

func (f *floor) create(w http.ResponseWriter, r *http.Request, workspace [16]byte, s *scratch) {
	var err error
	if s.in, err = readBody(s.in[:0], r); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	lead, err := parseLead(s.in)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	lead.workspace = workspace
	s.event = lead.appendTo(append(s.event[:0], `{"lead":`...), lead.fields)
	s.event = append(s.event, '}')
	conn := <-f.conns
	s.out, err = conn.insertLead(s.out[:0], lead, s.event)
	f.conns <- conn
	f.respond(w, nil, http.StatusCreated, s, err)
}

// respond sends the body in one write.
func (*floor) respond(w http.ResponseWriter, r *http.Request, status int, s *scratch, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	body, header := s.out, w.Header()
	header["Content-Type"] = jsonType
	if r != nil && len(r.Header["Accept-Encoding"]) > 0 {
		header["Content-Encoding"] = gzipEncoding
		s.in = compress(s.in[:0], body)
		body = s.in
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has disconnected
}

// readBody reads a body whose length is known into a buffer that is reused.
func readBody(b []byte, r *http.Request) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) == r.ContentLength {
			return b, nil
		}
		if err != nil {
			return b, fmt.Errorf("body: %w", err)
		}
	}
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
