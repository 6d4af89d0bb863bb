package email

import (
	"net"
	"strconv"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// checker collects what is wrong with settings.
type checker struct {
	provider.Channel

	invalid []provider.Invalid
}

func (v *checker) add(pointer, message string) {
	v.invalid = append(v.invalid, provider.Invalid{Pointer: pointer, Message: message})
}

// needs requires credentials.
func (v *checker) needs(names ...string) {
	for _, name := range names {
		if v.Credentials[name] == "" {
			v.add("/credentials/"+name, "is required")
		}
	}
}

// Addresses implements provider.Provider: the servers, and whether others can read what is sent
// to them.
func (*Provider) Addresses() (all []provider.Address) {
	for _, one := range []string{"host", "port", "security"} {
		all = append(all,
			provider.Address{Setting: []string{"smtp", one}, Credentials: []string{smtpUsername, smtpPassword}},
			provider.Address{Setting: []string{"imap", one}, Credentials: []string{imapUsername, imapPassword}},
		)
	}
	return all
}

// Validate implements provider.Provider.
func (p *Provider) Validate(c provider.Channel) []provider.Invalid {
	settings, err := configOf(c)
	if err != nil {
		return []provider.Invalid{{Pointer: "/config", Message: "must be the settings of an email address"}}
	}
	v := &checker{Channel: c}
	if !deliverable(settings.FromAddress) {
		v.add("/config/fromAddress", "must be an email address")
	}
	if !deliverable(settings.ReplyAddress) {
		v.add("/config/replyAddress", "must be an email address")
	}
	p.validateServer(v, "smtp", settings.SMTP)
	if settings.SMTP.username != "" {
		v.needs(smtpPassword)
	}
	p.validateInbound(v, settings)
	if settings.DKIM != nil {
		v.needs(dkimPrivateKey)
		if _, err := signer(c, settings); err != nil {
			v.add("/credentials/"+dkimPrivateKey, "must be an RSA or Ed25519 key in PEM")
		}
	}
	return v.invalid
}

func (p *Provider) validateInbound(v *checker, settings config) {
	switch settings.Inbound {
	case byMailgun:
		v.needs(mailgunSigningKey)
	case byPostmark:
		v.needs(postmarkUser, postmarkPassword)
	case byIMAP:
		if settings.IMAP == nil {
			v.add("/config/imap", "is required to receive by IMAP")
			return
		}
		p.validateServer(v, "imap", *settings.IMAP)
		v.needs(imapUsername, imapPassword)
	default:
		v.add("/config/inbound", "must be imap, mailgun or postmark")
	}
}

// validateServer refuses private addresses, and passwords on connections that anyone on the
// way can read.
func (p *Provider) validateServer(v *checker, name string, s server) {
	pointer := "/config/" + name
	switch s.Security {
	case implicitTLS, startTLS:
	case noTLS:
		if s.username != "" && !p.local(s) {
			v.add(pointer+"/security", "must be tls or starttls if there is a user name")
		}
	default:
		v.add(pointer+"/security", "must be tls, starttls or none")
	}
	const highest = 65535
	if s.Host == "" || s.Port < 1 || s.Port > highest {
		v.add(pointer, "must have a host and a port")
		return
	}
	if problem := p.Guard.CheckPage("http://" + s.address()); problem != "" {
		v.add(pointer+"/host", problem)
	}
}

// local reports whether a server is on this machine, and may be.
func (p *Provider) local(s server) bool { return p.Guard.CheckURL("http://"+s.address()) == "" }

func (s server) address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }
