package email

import (
	"context"
	"net"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Send implements provider.Provider by SMTP.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	settings, err := configOf(c)
	if err != nil {
		return provider.Sent{}, misconfigured(err)
	}
	// The message is complete before the connection is opened: one that breaks off while
	// it is sent could be delivered as it is.
	content, err := compose(ctx, c, settings, m)
	if err != nil {
		return provider.Sent{}, err
	}
	sending, err := p.openSMTP(ctx, c, settings)
	if err != nil {
		return provider.Sent{}, err
	}
	if err := sending.send(settings.FromAddress, m.To, content); err != nil {
		sending.close()
		return provider.Sent{}, err
	}
	sending.quit()
	return provider.Sent{ExternalIDs: []string{messageID(settings, m.Key)}}, nil
}

// smtpSession is a connection to an SMTP server after the login.
type smtpSession struct {
	channel provider.Channel
	client  *smtp.Client
	conn    net.Conn
	stop    func() bool
}

// openSMTP connects and logs in. It fails with *provider.SendError.
func (p *Provider) openSMTP(ctx context.Context, c provider.Channel, settings config) (*smtpSession, error) {
	s := &smtpSession{channel: c}
	client, err := gomail.NewClient(settings.SMTP.Host, p.smtpOptions(settings, func(dialing context.Context, _, _ string) (net.Conn, error) {
		conn, err := p.dial(dialing, settings.SMTP)
		if err == nil {
			s.conn, s.stop = conn, closeAt(ctx, conn)
		}
		return conn, err
	})...)
	if err != nil {
		return nil, misconfigured(err)
	}
	// The library waits no longer than its own timeout either, which is that of Send.
	s.client, err = client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		if s.conn == nil {
			return nil, unreachable(c, "SMTP", err)
		}
		s.close()
		return nil, loginFailure(c, err)
	}
	return s, nil
}

func (p *Provider) smtpOptions(settings config, dial gomail.DialContextFunc) []gomail.Option {
	s := settings.SMTP
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(timeout), gomail.WithHELO(settings.domain()), gomail.WithDialContextFunc(dial),
		gomail.WithTLSConfig(p.tlsConfig(s)), gomail.WithoutNoop(),
	}
	switch s.Security {
	case implicitTLS, noTLS: // dial has encrypted the connection, or nothing does
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case startTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.username == "" {
		return options
	}
	methods := []gomail.SMTPAuthType{gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthSCRAMSHA256}
	if s.Security == noTLS && p.local(s) {
		methods = []gomail.SMTPAuthType{gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc, gomail.SMTPAuthSCRAMSHA256}
	}
	return append(options, gomail.WithUsername(s.username), gomail.WithPassword(s.password), gomail.WithOpportunisticSMTPAuth(methods...))
}

// send transmits a message. Its outcome is unknown if the connection breaks after the end
// of the message, and before the response to it.
func (s *smtpSession) send(from, to string, content []byte) error {
	if err := s.client.Mail("<" + from + ">"); err != nil {
		return s.refused(err, mailFrom)
	}
	if err := s.client.Rcpt("<" + to + ">"); err != nil {
		return s.refused(err, rcptTo)
	}
	writer, err := s.client.Data()
	if err != nil {
		return s.refused(err, data)
	}
	if _, err := writer.Write(content); err != nil {
		return s.refused(err, data)
	}
	if err := writer.Close(); err != nil {
		return s.refused(err, endOfData)
	}
	return nil
}

func (s *smtpSession) refused(err error, at phase) error { return classify(s.channel, err, at) }

// close ends the connection without QUIT, which would end an unfinished message.
func (s *smtpSession) close() {
	s.stop()
	_ = s.conn.Close()
}

// quit ends the session. Whether that succeeds changes nothing.
func (s *smtpSession) quit() {
	_ = s.client.Quit()
	s.close()
}
