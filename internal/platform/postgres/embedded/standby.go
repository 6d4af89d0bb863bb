package embedded

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// Standby starts a streaming standby of a server, in an empty directory. It accepts reads.
// source is the URL of the server as the standby reaches it, which may be through a proxy.
func Standby(ctx context.Context, of *Server, source string, options Options) (*Server, error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &Server{binaries: of.binaries, data: filepath.Join(dir, "data"), password: of.password}
	if s.as, err = unprivileged(ctx, dir); err != nil {
		return nil, err
	}
	u, err := url.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("address of the primary: %w", err)
	}
	err = s.run(ctx, "pg_basebackup", "-d", u.String(), "-D", s.data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if err != nil {
		return nil, err
	}
	return s, s.start(ctx, dir, options.Port, options.Volatile)
}

// Promote makes a standby a primary, and returns once it accepts writes.
func (s *Server) Promote(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "promote", "-D", s.data, "-w")
}
