// Package embedded runs a private PostgreSQL server in a directory, for development and
// tests: with installed binaries if there are any, otherwise with downloaded ones. It also
// works for root, as which PostgreSQL refuses to run.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	role        = "convo"
	startWait   = 60 // seconds that pg_ctl waits for the server
	stopTimeout = 30 * time.Second
)

// Options of a server.
type Options struct {
	// Dir holds the cluster and its data. It is created if it does not exist.
	Dir string
	// Port to listen on; 0 chooses a free one.
	Port int
	// Volatile trades durability for speed, for tests.
	Volatile bool
	// Logf reports slow steps, such as a download. It may be nil.
	Logf func(format string, args ...any)
}

// Server is a running server.
type Server struct {
	binaries string
	as       func(*exec.Cmd) // makes a program run as a user that PostgreSQL accepts
	data     string
	port     int
	password string
}

// Start starts the server of a directory, also after a crash, and returns once it accepts
// connections.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Logf == nil {
		options.Logf = func(string, ...any) {}
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	binaries, err := findBinaries(ctx, options.Logf)
	if err != nil {
		return nil, err
	}
	s := &Server{binaries: binaries, data: filepath.Join(dir, "data")}
	if s.password, err = keepPassword(filepath.Join(dir, "password")); err != nil {
		return nil, err
	}
	if s.as, err = unprivileged(ctx, dir); err != nil {
		return nil, err
	}
	if err := s.initialize(ctx, dir); err != nil {
		return nil, err
	}
	// A server whose parent process was killed still uses the directory: stop it first.
	if _, err := os.Stat(filepath.Join(s.data, "postmaster.pid")); err == nil {
		_ = s.Stop(ctx) // a stale file, which the server clears itself, makes this fail
	}
	return s, s.start(ctx, dir, options.Port, options.Volatile)
}

// URL returns the connection URL of a database of the server.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Stop shuts the server down cleanly and closes open connections.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return s.run(ctx, "pg_ctl", "stop", "-D", s.data, "-m", "fast", "-w")
}

func (s *Server) initialize(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(s.data, "PG_VERSION")); err == nil {
		return nil
	}
	// Created under another name and renamed, so that an interrupted attempt leaves no partial cluster.
	fresh := s.data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear an interrupted set-up: %w", err)
	}
	err := s.run(ctx, "initdb", "-D", fresh, "-U", role, "--pwfile", filepath.Join(dir, "password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if err != nil {
		return err
	}
	if err := os.Rename(fresh, s.data); err != nil {
		return fmt.Errorf("keep the new cluster: %w", err)
	}
	return nil
}

func (s *Server) start(ctx context.Context, dir string, port int, volatile bool) error {
	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
		"shared_buffers": "256MB", "timezone": "UTC", "log_min_messages": "warning",
	}
	if volatile {
		settings["fsync"], settings["synchronous_commit"], settings["full_page_writes"] = "off", "off", "off"
	}
	var err error
	// Another process may take the free port before the server does.
	for range 3 {
		if s.port = port; port == 0 {
			if s.port, err = freePort(ctx); err != nil {
				return err
			}
		}
		flags := []string{"-p", strconv.Itoa(s.port)}
		for name, value := range settings {
			flags = append(flags, "-c", name+"='"+value+"'")
		}
		err = s.run(ctx, "pg_ctl", "start", "-D", s.data, "-w", "-t", strconv.Itoa(startWait),
			"-l", filepath.Join(dir, "postgres.log"), "-o", strings.Join(flags, " "))
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w (see %s)", err, filepath.Join(dir, "postgres.log"))
}

// run executes one of the server's programs as a user that PostgreSQL accepts.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.binaries, program), args...) //nolint:gosec // programs of PostgreSQL
	s.as(cmd)
	// A file and not a pipe: the server inherits it and would keep a pipe open.
	output, err := os.CreateTemp("", "convo-postgres-*")
	if err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	defer os.Remove(output.Name())
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(output.Name())
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(said)))
	}
	return nil
}

func keepPassword(path string) (string, error) {
	if kept, err := os.ReadFile(path); err == nil { //nolint:gosec // a path of our own
		return strings.TrimSpace(string(kept)), nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("database password: %w", err)
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	password := hex.EncodeToString(random)
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("database password: %w", err)
	}
	return password, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // a TCP listener has one
}
