package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// commandTimeout bounds a command to an IMAP server. A download has longer.
const commandTimeout = 30 * time.Second

// imapSession is a connection to an IMAP server after the login, with the mailbox selected
// read-only: that a message was read here is not visible to people who share the mailbox.
type imapSession struct {
	channel  provider.Channel
	server   server
	client   *imapclient.Client
	conn     net.Conn
	stop     func() bool
	selected *imap.SelectData
	// changed is told when messages arrive.
	changed chan struct{}
}

// openIMAP connects and logs in. It fails with *provider.SendError.
func (p *Provider) openIMAP(ctx context.Context, c provider.Channel, at server) (*imapSession, error) {
	conn, err := p.dial(ctx, at)
	if err != nil {
		return nil, unreachable(c, "IMAP", err)
	}
	s := &imapSession{channel: c, server: at, conn: conn, changed: make(chan struct{}, 1)}
	s.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err := s.within(commandTimeout, func() error { return s.greet(p.tlsConfig(at)) }); err != nil {
		s.close()
		return nil, unreachable(c, "IMAP", err)
	}
	if err := s.within(commandTimeout, s.login); err != nil {
		s.close()
		return nil, s.refused(err, true)
	}
	err = s.within(commandTimeout, func() (err error) {
		s.selected, err = s.client.Select(at.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		return err
	})
	if err != nil {
		s.close()
		return nil, s.refused(err, false)
	}
	return s, nil
}

// within runs a command, and closes the connection if it takes too long.
func (s *imapSession) within(d time.Duration, command func() error) error {
	timer := time.AfterFunc(d, func() { _ = s.conn.Close() })
	defer timer.Stop()
	return command()
}

func (s *imapSession) greet(encryption *tls.Config) (err error) {
	options := &imapclient.Options{TLSConfig: encryption, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				s.tell()
			}
		},
	}}
	if s.server.Security == startTLS {
		s.client, err = imapclient.NewStartTLS(s.conn, options)
		return err
	}
	s.client = imapclient.New(s.conn, options)
	return s.client.WaitGreeting()
}

// tell notes that messages have arrived.
func (s *imapSession) tell() {
	select {
	case s.changed <- struct{}{}:
	default: // it is noted already
	}
}

func (s *imapSession) login() error {
	if s.client.Caps().Has(imap.AuthCap("PLAIN")) {
		return s.client.Authenticate(sasl.NewPlainClient("", s.server.username, s.server.password))
	}
	return s.client.Login(s.server.username, s.server.password).Wait()
}

// refused maps the error of a command.
func (s *imapSession) refused(err error, login bool) *provider.SendError {
	response, ok := errors.AsType[*imap.Error](err)
	if !ok {
		failed := unreachable(s.channel, "IMAP", err)
		failed.Detail = "The connection to the IMAP server was lost."
		return failed
	}
	failed := &provider.SendError{
		Kind: provider.Retryable, Code: string(response.Code), Detail: "The IMAP server refused: " + short(provider.Redact(s.channel, response.Text)),
		Cause: fmt.Errorf("email: %s", provider.Redact(s.channel, err.Error())),
	}
	// A mailbox that does not exist is as final as a wrong password.
	temporary := response.Code == imap.ResponseCodeUnavailable || response.Code == imap.ResponseCodeInUse || response.Code == imap.ResponseCodeLimit
	if !temporary && (login || response.Code == imap.ResponseCodeNonExistent) {
		failed.Kind = provider.Credentials
	}
	return failed
}

// idles reports whether the server tells when messages arrive.
func (s *imapSession) idles() bool {
	caps := s.client.Caps()
	return caps.Has(imap.CapIdle) || caps.Has(imap.CapIMAP4rev2)
}

func (s *imapSession) close() {
	s.stop()
	if s.client != nil {
		_ = s.client.Close()
	}
	_ = s.conn.Close()
}

// sameMailbox names the mailbox that a state is of.
func (s *imapSession) sameMailbox() string {
	return strings.ToLower(s.server.Host) + "/" + s.server.username + "/" + s.server.Mailbox
}
