//go:build linux

package system

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// haproxyConfig follows docs/operations.md, with shorter intervals.
var haproxyConfig = template.Must(template.New("haproxy").Parse(`global
  stats socket {{.Socket}} mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 1s
  option redispatch
  retries 3
  option httpchk GET /readyz
  default-server check inter 200ms fall 2 rise 1
frontend api
  bind {{.Address}}
  default_backend replicas
backend replicas
{{- range .Replicas}}
  server {{.Name}} {{.Address}}
{{- end}}
`))

// Balancer is HAProxy in front of the replicas.
type Balancer struct {
	address, socket string
	cmd             *exec.Cmd
}

// target is a replica as HAProxy reaches it.
type target struct{ Name, Address string }

func startBalancer(dir string, replicas []target) (*Balancer, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	b := &Balancer{address: address, socket: filepath.Join(dir, "haproxy.sock")}
	var config bytes.Buffer
	err = haproxyConfig.Execute(&config, map[string]any{"Socket": b.socket, "Address": address, "Replicas": replicas})
	if err != nil {
		return nil, fmt.Errorf("HAProxy: %w", err)
	}
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, config.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("HAProxy: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "haproxy.log"))
	if err != nil {
		return nil, fmt.Errorf("HAProxy: %w", err)
	}
	defer log.Close()
	b.cmd = exec.Command("haproxy", "-db", "-f", path) //nolint:noctx // is stopped in the end
	b.cmd.Stdout, b.cmd.Stderr = log, log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("HAProxy (make haproxy installs it): %w", err)
	}
	return b, nil
}

// Sees waits until HAProxy sends requests to a replica.
func (b *Balancer) Sees(ctx context.Context, replica string) error {
	for !b.isUp(ctx, replica) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("HAProxy does not see %s: %w", replica, ctx.Err())
		case <-time.After(readyPoll):
		}
	}
	return nil
}

// isUp reads the statistics of HAProxy: CSV with the columns pxname, svname, …, status (18th).
func (b *Balancer) isUp(ctx context.Context, replica string) bool {
	const statusColumn = 17
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", b.socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("show stat\n")); err != nil {
		return false
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		columns := strings.Split(lines.Text(), ",")
		if len(columns) > statusColumn && columns[0] == "replicas" && columns[1] == replica {
			return columns[statusColumn] == "UP"
		}
	}
	return false
}

func (b *Balancer) stop() {
	_ = b.cmd.Process.Kill() // it may have exited
	_ = b.cmd.Wait()         // reports that kill
}
