package email

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/extract"
)

// unsubscribe is the subject of a message by which a contact opts out.
const unsubscribe = "unsubscribe"

var (
	tokenPattern = regexp.MustCompile(`^[a-z0-9]{8,100}$`)
	// bouncing are the senders of bounces that are not reports.
	bouncing = regexp.MustCompile(`(?i)^(mailer-daemon|postmaster)@`)
	// machine are senders that read no replies.
	machine    = regexp.MustCompile(`(?i)^(no-?reply|do-?not-?reply|noresponse|bounces?|notifications?)([+._-][^@]*)?@`)
	inText     = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-\d{1,3}@[a-z0-9.-]{1,253}`)
	statusText = regexp.MustCompile(`\b([45]\.\d{1,3}\.\d{1,3})\b`)
)

// items returns what a message is to a conversation: a message, a delivery report, an
// opt-out, or nothing.
func items(settings config, m extract.Message) []provider.Item {
	switch {
	case m.Report != nil:
		return reports(settings, *m.Report)
	case ours(settings, m):
		return nil
	case bouncing.MatchString(m.From.Address):
		return bounce(settings, m)
	case !deliverable(m.From.Address):
		return nil
	}
	found := message(settings, m)
	if found.ConversationToken != "" && strings.EqualFold(strings.TrimSpace(m.Subject), unsubscribe) {
		return []provider.Item{provider.Block{From: found.From.ExternalID, On: true}}
	}
	return []provider.Item{found}
}

// ours reports whether the channel itself has sent a message: to reply to it would begin a
// loop.
func ours(settings config, m extract.Message) bool {
	return own(settings, m.MessageID) || isOurs(settings, m.From.Address)
}

func isOurs(settings config, address string) bool {
	return strings.EqualFold(address, settings.FromAddress) || strings.EqualFold(withoutTag(address), settings.ReplyAddress)
}

// withoutTag removes what follows a plus sign in the local part.
func withoutTag(address string) string {
	local, domain, ok := cutAddress(address)
	if !ok {
		return address
	}
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}

func message(settings config, m extract.Message) provider.Message {
	found := provider.Message{
		ExternalID: cmp.Or(m.MessageID, digest(m)), From: identity(m.From), Subject: m.Subject, Text: textOf(m), SentAt: m.Date,
		ReplyTo: m.InReplyTo, References: references(m), ConversationToken: token(settings, m.Recipients), Automatic: automatic(m),
	}
	for _, file := range m.Files {
		found.Attachments = append(found.Attachments, provider.Attachment{
			Type: provider.TypeOf(file.ContentType), Name: cmp.Or(file.Name, "attachment"), ContentType: cmp.Or(file.ContentType, "application/octet-stream"),
			SizeBytes: int64(len(file.Content)), Content: file.Content,
		})
	}
	return found
}

// textOf is what is new in the message. One without text says something by its subject.
func textOf(m extract.Message) string {
	text := withoutQuotes(m.Text)
	if text == "" && len(m.Files) == 0 {
		text = m.Subject
	}
	if m.Omitted > 0 {
		text = strings.TrimSpace(fmt.Sprintf("%s\n\n[%d attachments were too large or too many]", text, m.Omitted))
	}
	return text
}

// references are the earlier messages of the thread, the one replied to last.
func references(m extract.Message) []string {
	ids := slices.Clone(m.References)
	if m.InReplyTo != "" && !slices.Contains(ids, m.InReplyTo) {
		ids = append(ids, m.InReplyTo)
	}
	return ids
}

// digest stands for the ID of a message that has none.
func digest(m extract.Message) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{m.From.Address, m.Date.String(), m.Subject, m.Text}, "\x00")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// token returns the token of a conversation in the address that the message was sent to.
func token(settings config, recipients []string) string {
	local, domain, _ := cutAddress(strings.ToLower(settings.ReplyAddress))
	for _, one := range recipients {
		before, at, ok := cutAddress(strings.ToLower(one))
		if !ok || at != domain {
			continue
		}
		if found, ok := strings.CutPrefix(before, local+"+"); ok && tokenPattern.MatchString(found) {
			return found
		}
	}
	return ""
}

// automatic reports whether a machine wrote the message: an automatic reply (RFC 3834), or
// something that was sent to many.
func automatic(m extract.Message) bool {
	submitted, _, _ := strings.Cut(m.Header["Auto-Submitted"], ";")
	if submitted = strings.TrimSpace(submitted); submitted != "" && !strings.EqualFold(submitted, "no") {
		return true
	}
	switch strings.ToLower(strings.TrimSpace(m.Header["Precedence"])) {
	case "bulk", "junk", "list", "auto_reply":
		return true
	}
	for _, name := range extract.MachineHeaders {
		switch name {
		case "Auto-Submitted", "Precedence", "Return-Path":
		default:
			if m.Header[name] != "" {
				return true
			}
		}
	}
	return strings.TrimSpace(m.Header["Return-Path"]) == "<>" || machine.MatchString(m.From.Address)
}

// reports returns the delivery reports for a message of the channel (RFC 3464). A delay is
// none: the mail server goes on trying.
func reports(settings config, report extract.DeliveryReport) (found []provider.Item) {
	if !own(settings, report.MessageID) {
		return nil
	}
	for _, one := range report.Recipients {
		status := provider.Status{ExternalID: report.MessageID}
		switch one.Action {
		case "failed":
			status.Status, status.Code, status.Detail = api.DeliveryStatusFAILED, one.Status, short(one.Diagnostic)
			status.Kind = undelivered(one.Status)
		case "delivered":
			status.Status = api.DeliveryStatusDELIVERED
		default:
			continue
		}
		found = append(found, status)
	}
	return found
}

// undelivered is why a message came back. A mail server that gives up after temporary
// failures is final, too.
func undelivered(state string) provider.Kind {
	if gone(0, state) {
		return provider.Blocked
	}
	return provider.Permanent
}

// bounce returns the report of a mail server that writes none in the standard form: it
// quotes the message, with its ID.
func bounce(settings config, m extract.Message) []provider.Item {
	var text strings.Builder
	text.WriteString(m.Text)
	for _, file := range m.Files { // the message that came back
		if strings.HasPrefix(file.ContentType, "message/") || strings.HasPrefix(file.ContentType, "text/") {
			text.WriteString("\n" + string(file.Content))
		}
	}
	id := strings.TrimRight(inText.FindString(text.String()), ".-")
	if !own(settings, id) {
		return nil
	}
	state := statusText.FindString(m.Text)
	return []provider.Item{provider.Status{
		ExternalID: strings.ToLower(id), Status: api.DeliveryStatusFAILED, Code: state, Kind: undelivered(state), Detail: "The message was returned: " + short(m.Subject),
	}}
}
