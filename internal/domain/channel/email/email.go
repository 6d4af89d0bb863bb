// Package email connects channels to email addresses. Messages are sent by SMTP and signed
// with DKIM; they are received from an IMAP mailbox, or by the hooks of Mailgun and
// Postmark. Emails are parsed in the reader process (internal/platform/extract).
package email

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/share"
)

// Credentials of a channel.
const (
	smtpUsername      = "smtpUsername"
	smtpPassword      = "smtpPassword"
	imapUsername      = "imapUsername"
	imapPassword      = "imapPassword"
	dkimPrivateKey    = "dkimPrivateKey"
	mailgunSigningKey = "mailgunSigningKey"
	postmarkUser      = "postmarkUser"
	postmarkPassword  = "postmarkPassword"
)

const (
	maxText = 100_000
	// maxHookBody is the longest request of a mail service, in bytes: an email with attachments.
	maxHookBody = 25 << 20
	// interval keeps below what mail servers accept from one client.
	interval        = 100 * time.Millisecond
	contactInterval = time.Second
	// automaticPerHour is more than a person reads, and ends what two machines write to each
	// other.
	automaticPerHour = 10
	timeout          = time.Minute
	// maxAddress is the longest address (RFC 5321, section 4.5.3.1).
	maxAddress = 254
)

// Provider is the channel type EMAIL.
type Provider struct {
	Guard  *egress.Guard
	Reader *extract.Runner
	Log    *slog.Logger
	// RootCAs are the authorities that certify mail servers; nil for those of the system.
	RootCAs *x509.CertPool
	// PollInterval is how often a mailbox is read whose server has no IDLE; 0 for a minute.
	PollInterval time.Duration

	// idleTime is how long an IDLE runs; 0 for the default.
	idleTime time.Duration
	readers  share.Shares
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Initiator = (*Provider)(nil)
	_ provider.Listener  = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeEMAIL }

// Rules implements provider.Provider. SMTP has no idempotency key: many receivers drop a
// second message with the same Message-ID, but none has to. Senders can be forged.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{
		MaxLength: maxText, Initiate: true, Attachments: true, Together: true, Hook: true, MaxHookBody: maxHookBody,
		AutomaticPerHour: automaticPerHour, References: true,
		Interval: interval, ContactInterval: contactInterval, Timeout: timeout,
	}
}

// Recipient implements provider.Initiator.
func (*Provider) Recipient(to string) (provider.Identity, bool) {
	parsed, err := mail.ParseAddress(to)
	if err != nil || !deliverable(parsed.Address) {
		return provider.Identity{}, false
	}
	return identity(extract.Mailbox{Name: parsed.Name, Address: parsed.Address}), true
}

// identity is how the channel knows who wrote: by the address, whose case does not matter
// in practice.
func identity(from extract.Mailbox) provider.Identity {
	address := strings.ToLower(from.Address)
	return provider.Identity{ExternalID: address, Name: from.Name, Email: address}
}

// deliverable reports whether an address names a mailbox at a domain.
func deliverable(address string) bool {
	local, domain, ok := cutAddress(address)
	return ok && local != "" && strings.Contains(domain, ".") && len(address) <= maxAddress && !strings.ContainsAny(address, " \t\r\n<>")
}

// cutAddress splits an address at its last @.
func cutAddress(address string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", "", false
	}
	return address[:at], address[at+1:], true
}

// inbound is how a channel receives.
type inbound string

const (
	byIMAP     inbound = "imap"
	byMailgun  inbound = "mailgun"
	byPostmark inbound = "postmark"
)

// security is how a connection to a server is encrypted.
type security string

const (
	implicitTLS security = "tls"
	startTLS    security = "starttls"
	noTLS       security = "none"
)

// server is where a mail server is, and how to log in to it.
type server struct {
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Security security `json:"security"`
	Mailbox  string   `json:"mailbox"` // IMAP only

	username, password string
}

// config is the config of a channel.
type config struct {
	FromAddress  string  `json:"fromAddress"`
	FromName     string  `json:"fromName"`
	ReplyAddress string  `json:"replyAddress"`
	SMTP         server  `json:"smtp"`
	IMAP         *server `json:"imap"`
	Inbound      inbound `json:"inbound"`
	DKIM         *struct {
		Domain   string `json:"domain"`
		Selector string `json:"selector"`
	} `json:"dkim"`
}

// configOf parses the config of a channel and fills in what is absent.
func configOf(c provider.Channel) (config, error) {
	var parsed config
	if err := json.Unmarshal(c.Config, &parsed); err != nil {
		return parsed, fmt.Errorf("email: config: %w", err)
	}
	if parsed.FromName == "" {
		parsed.FromName = c.Name
	}
	if parsed.ReplyAddress == "" {
		parsed.ReplyAddress = parsed.FromAddress
	}
	parsed.SMTP.username, parsed.SMTP.password = c.Credentials[smtpUsername], c.Credentials[smtpPassword]
	if parsed.IMAP != nil {
		parsed.IMAP.username, parsed.IMAP.password = c.Credentials[imapUsername], c.Credentials[imapPassword]
		if parsed.IMAP.Mailbox == "" {
			parsed.IMAP.Mailbox = "INBOX"
		}
	}
	return parsed, nil
}

// domain is that of the channel's addresses, for IDs of messages.
func (c config) domain() string {
	_, domain, _ := cutAddress(c.FromAddress)
	return strings.ToLower(domain)
}

// Check implements provider.Provider: it logs in to the servers, and returns the address.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	settings, err := configOf(c)
	if err != nil {
		return "", misconfigured(err)
	}
	sending, err := p.openSMTP(ctx, c, settings)
	if err != nil {
		return "", err
	}
	sending.quit()
	if settings.Inbound == byIMAP && settings.IMAP != nil {
		mailbox, err := p.openIMAP(ctx, c, *settings.IMAP)
		if err != nil {
			return "", err
		}
		mailbox.close()
	}
	return settings.FromAddress, nil
}

// misconfigured is the error of settings that Validate would reject.
func misconfigured(err error) *provider.SendError {
	return &provider.SendError{Kind: provider.Credentials, Detail: "The settings of the channel are invalid.", Cause: err}
}

// signer returns what signs messages, nil if the channel has no key.
func signer(c provider.Channel, settings config) (*gomail.DKIMSigner, error) {
	key := c.Credentials[dkimPrivateKey]
	if key == "" || settings.DKIM == nil {
		return nil, nil //nolint:nilnil // not to sign is no error
	}
	private, err := gomail.PrivKeyFromPEM([]byte(key))
	if err != nil {
		return nil, fmt.Errorf("email: DKIM key: %w", err)
	}
	signs := gomail.NewDKIMSigner(settings.DKIM.Domain, settings.DKIM.Selector, private)
	signs.HeaderCanonicalization(gomail.CanonicalizationRelaxed)
	signs.BodyCanonicalization(gomail.CanonicalizationRelaxed)
	return signs, nil
}
