package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/egress"
)

// dial connects to a mail server through the egress guard, and encrypts the connection
// unless that comes later. The connection closes when ctx ends.
func (p *Provider) dial(ctx context.Context, s server) (net.Conn, error) {
	conn, err := p.Guard.Dialer().DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, err
	}
	if s.Security != implicitTLS {
		return conn, nil
	}
	encrypted := tls.Client(conn, p.tlsConfig(s))
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

func (p *Provider) tlsConfig(s server) *tls.Config {
	return &tls.Config{ServerName: s.Host, RootCAs: p.RootCAs, MinVersion: tls.VersionTLS12}
}

// closeAt closes a connection when ctx ends, and lets none of its reads and writes wait
// beyond the deadline. The caller calls stop when it is done.
func closeAt(ctx context.Context, conn net.Conn) (stop func() bool) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0)) // wakes what waits
		_ = conn.Close()
	})
}

// unreachable is the error of a server that cannot be connected to.
func unreachable(c provider.Channel, what string, err error) *provider.SendError {
	failed := &provider.SendError{
		Kind: provider.Retryable, Detail: "The " + what + " server cannot be reached.",
		Cause: fmt.Errorf("email: %s", provider.Redact(c, err.Error())),
	}
	var (
		unverified *tls.CertificateVerificationError
		record     tls.RecordHeaderError
		unknown    *net.DNSError
	)
	switch {
	case egress.Refused(err):
		failed.Kind, failed.Detail = provider.Credentials, "The "+what+" server has a private or reserved address."
	case errors.As(err, &unverified):
		failed.Detail = "The certificate of the " + what + " server is not valid for its host name."
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
			failed.Detail = "The certificate of the " + what + " server is from an unknown authority."
		}
	case errors.As(err, &record):
		failed.Detail = "The " + what + " server does not use TLS on this port. Check the setting security."
	case errors.As(err, &unknown) && unknown.IsNotFound:
		failed.Detail = "The host name of the " + what + " server does not exist."
	}
	return failed
}
