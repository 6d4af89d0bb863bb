//go:build linux

// Package system runs Convo as in production: replicas behind HAProxy, a worker and
// PostgreSQL, each a process of its own, with toxiproxy between all of them.
package system

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// WebhookTimeout is how long a worker waits for a webhook endpoint. A delivery is due
	// again five seconds after that if its worker is lost.
	WebhookTimeout = 3 * time.Second
	// RequestTimeout is the timeout of a request. A key is free again a second later if
	// its server is lost.
	RequestTimeout = 4 * time.Second
	// shutdownDelay is more than two health checks of HAProxy.
	shutdownDelay = time.Second

	replicas = 3
	// Workspace is the slug of the workspace.
	Workspace = "ledger"
)

// System is everything that runs, except the receiver of webhooks.
type System struct {
	Database *Database
	Replicas []*Process
	Worker   *Process
	Balancer *Balancer
	// API is the way of clients to HAProxy, Behind that of HAProxy to each replica, Hook that
	// of the workers to the receiver of webhooks, and Provider to that of the channels.
	API, Hook, Provider *Link
	Behind              []*Link
	// Token has all scopes of the workspace.
	Token string

	dir, binary string
}

// Start starts all parts in a directory, with a built convo. Webhooks reach the receiver by
// the link Hook, and messages of channels the provider by the link Provider.
func Start(ctx context.Context, dir, binary, receiver, provider string) (s *System, err error) {
	s = &System{dir: dir, binary: binary}
	defer func() {
		if err != nil {
			s.Stop(ctx)
		}
	}()
	if s.Database, err = startDatabase(ctx, dir); err != nil {
		return s, err
	}
	if err = s.startProcesses(ctx); err != nil {
		return s, err
	}
	if err = s.startBalancer(); err != nil {
		return s, err
	}
	if s.Hook, err = newLink("workers to receiver", receiver); err != nil {
		return s, err
	}
	if s.Provider, err = newLink("workers to provider", provider); err != nil {
		return s, err
	}
	for _, replica := range s.Replicas {
		if err = s.Balancer.Sees(ctx, replica.Name); err != nil {
			return s, err
		}
	}
	return s, s.createToken(ctx)
}

// startProcesses starts the replicas, which are workers too, and a worker.
func (s *System) startProcesses(ctx context.Context) error {
	for i := range replicas {
		p, err := s.startProcess(ctx, "replica"+strconv.Itoa(i+1), "serve")
		if err != nil {
			return err
		}
		s.Replicas = append(s.Replicas, p)
	}
	var err error
	s.Worker, err = s.startProcess(ctx, "worker", "work")
	return err
}

func (s *System) startProcess(ctx context.Context, name, command string) (*Process, error) {
	link, databaseURL, err := s.Database.link(name + " to database")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	retries := strings.TrimSuffix(strings.Repeat("200ms,", 20)+strings.Repeat("1s,", 60), ",")
	p := &Process{
		Name: name, Database: link, binary: s.binary, args: []string{command}, address: address, log: filepath.Join(s.dir, name+".log"),
		environment: append(environment(databaseURL), "CONVO_ADDR="+address, "CONVO_OPS_ADDR=", "CONVO_SECRET_KEY="+strings.Repeat("ab", 32),
			"CONVO_ALLOWED_TARGETS=127.0.0.0/8", "CONVO_STORAGE="+filepath.Join(s.dir, "files"), "CONVO_LOG_LEVEL=warn",
			"CONVO_WEBHOOK_TIMEOUT="+WebhookTimeout.String(), "CONVO_WEBHOOK_RETRIES="+retries,
			"CONVO_REQUEST_TIMEOUT="+RequestTimeout.String(), "CONVO_SHUTDOWN_DELAY="+shutdownDelay.String()),
	}
	return p, p.Start(ctx)
}

// environment is that of this process without settings of Convo.
func environment(databaseURL string) []string {
	kept := []string{"DATABASE_URL=" + databaseURL}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "CONVO_") && !strings.HasPrefix(variable, "DATABASE_URL=") {
			kept = append(kept, variable)
		}
	}
	return kept
}

func (s *System) startBalancer() error {
	var targets []target
	for _, replica := range s.Replicas {
		link, err := newLink("HAProxy to "+replica.Name, replica.address)
		if err != nil {
			return err
		}
		s.Behind = append(s.Behind, link)
		targets = append(targets, target{replica.Name, link.Address()})
	}
	var err error
	if s.Balancer, err = startBalancer(s.dir, targets); err != nil {
		return err
	}
	s.API, err = newLink("clients to HAProxy", s.Balancer.address)
	return err
}

// createToken creates the workspace and a token, and lifts the rate limit.
func (s *System) createToken(ctx context.Context) error {
	direct := environment(s.Database.URL())
	if _, err := run(ctx, s.binary, direct, "workspace", "create", "--slug", Workspace, "--name", "Ledger"); err != nil {
		return err
	}
	if _, err := run(ctx, s.binary, direct, "workspace", "set-limit", "--slug", Workspace, "--per-minute", "1000000"); err != nil {
		return err
	}
	args := []string{"token", "create", "--workspace", Workspace, "--name", "driver"}
	for _, scope := range []string{"leads", "conversations", "agents"} {
		args = append(args, "--scope", scope+":read", "--scope", scope+":write")
	}
	var err error
	s.Token, err = run(ctx, s.binary, direct, args...)
	return err
}

// Processes returns the replicas and the worker.
func (s *System) Processes() []*Process { return append(append([]*Process{}, s.Replicas...), s.Worker) }

// Link returns a new link to the database for another client, and the database's URL
// through it.
func (s *System) Link(name string) (string, error) {
	_, address, err := s.Database.link(name)
	return address, err
}

// Stop stops all parts.
func (s *System) Stop(ctx context.Context) {
	if s.Balancer != nil {
		s.Balancer.stop()
	}
	for _, p := range s.Processes() {
		if p != nil && p.cmd != nil {
			p.Kill()
		}
	}
	if s.Database != nil {
		s.Database.stop(ctx)
	}
}

// Faults returns the lines with which the processes logged a fault of their own: a panic or
// a response 500. While a part is down, other errors are expected.
func (s *System) Faults() ([]string, error) {
	var found []string
	for _, p := range s.Processes() {
		content, err := os.ReadFile(p.log)
		if err != nil {
			return nil, fmt.Errorf("log of %s: %w", p.Name, err)
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, `"status":500`) || strings.Contains(line, "panic") {
				found = append(found, p.Name+": "+strings.TrimSpace(line))
			}
		}
	}
	return found, nil
}
