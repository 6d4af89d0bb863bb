package email

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// maxAttached bounds the files of a message that is sent, in bytes: with the encoding,
// what most servers accept.
const maxAttached = 18 << 20

var (
	// messageIDPattern is an ID that is valid in a header. Others are not of emails.
	messageIDPattern = regexp.MustCompile(`^[^\s<>@]{1,200}@[^\s<>@]{1,255}$`)
	keyPattern       = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	replyPrefix      = regexp.MustCompile(`(?i)^\s*(re|odp|aw|sv|antw)\s*(\[\d+\])?\s*:`)
)

// messageID is the ID of the message with a key: the same whenever it is sent again.
func messageID(settings config, key string) string {
	return key + "@" + settings.domain()
}

// compose writes a message, signed if the channel has a key. It fails with
// *provider.SendError.
func compose(ctx context.Context, c provider.Channel, settings config, m provider.Outbound) ([]byte, error) {
	if !deliverable(m.To) {
		return nil, &provider.SendError{Kind: provider.Permanent, Detail: "The contact has no email address."}
	}
	if !keyPattern.MatchString(m.Key) {
		return nil, misconfigured(fmt.Errorf("email: key %q", m.Key))
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := address(msg, settings, m); err != nil {
		return nil, misconfigured(err)
	}
	thread(msg, settings, m)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, htmlOf(m.Text))
	if err := attach(ctx, msg, m.Attachments); err != nil {
		return nil, err
	}
	signs, err := signer(c, settings)
	if err != nil {
		return nil, misconfigured(err)
	}
	if signs != nil {
		msg.SetDKIM(signs)
	}
	var content bytes.Buffer
	if _, err := msg.WriteTo(&content); err != nil {
		return nil, &provider.SendError{Kind: provider.Permanent, Detail: "The message cannot be written as an email.", Cause: err}
	}
	return content.Bytes(), nil
}

// address sets who the message is from and to, and the address for replies.
func address(msg *gomail.Msg, settings config, m provider.Outbound) error {
	name := settings.FromName
	if m.Author != "" && m.Author != name {
		name = m.Author + " (" + name + ")"
	}
	if err := msg.FromFormat(line(name), settings.FromAddress); err != nil {
		return err
	}
	if err := msg.To(m.To); err != nil {
		return err
	}
	return msg.ReplyTo(replyAddress(settings, m.ConversationToken))
}

// replyAddress is where the reply to a conversation goes: reply+token@example.com.
func replyAddress(settings config, token string) string {
	local, domain, _ := cutAddress(settings.ReplyAddress)
	if token == "" {
		return settings.ReplyAddress
	}
	return local + "+" + token + "@" + domain
}

// thread sets subject and ID, what the message replies to, and what other machines need to
// know: they must not reply to an agent (RFC 3834), and people can stop what they have not
// asked for (RFC 2369).
func thread(msg *gomail.Msg, settings config, m provider.Outbound) {
	references := slices.DeleteFunc(slices.Clone(m.References), func(id string) bool { return !messageIDPattern.MatchString(id) })
	replyTo := m.ReplyTo
	if !messageIDPattern.MatchString(replyTo) {
		replyTo = ""
		if len(references) > 0 {
			replyTo = references[len(references)-1]
		}
	}
	if replyTo != "" && !slices.Contains(references, replyTo) {
		references = append(references, replyTo)
	}
	msg.SetMessageIDWithValue(messageID(settings, m.Key))
	if replyTo != "" {
		msg.SetGenHeaderPreformatted(gomail.HeaderInReplyTo, "<"+replyTo+">")
		msg.SetGenHeaderPreformatted(gomail.HeaderReferences, "<"+strings.Join(references, ">\r\n <")+">")
	}
	initiated := !slices.ContainsFunc(references, func(id string) bool { return !own(settings, id) })
	msg.Subject(subject(settings, m.Subject, !initiated))
	if initiated {
		msg.SetListUnsubscribe("mailto:" + replyAddress(settings, m.ConversationToken) + "?subject=" + unsubscribe)
	}
	if m.Automatic {
		msg.SetGenHeader("Auto-Submitted", "auto-replied")
		msg.SetGenHeader("X-Auto-Response-Suppress", "All") // Microsoft Exchange
	}
	if settings.Inbound == byPostmark {
		msg.SetGenHeader("X-PM-KeepID", "true") // Postmark replaces the Message-ID otherwise
	}
}

// own reports whether the channel has made an ID of a message: from a delivery's key.
func own(settings config, id string) bool {
	key, domain, ok := cutAddress(id)
	return ok && strings.EqualFold(domain, settings.domain()) && ownKey.MatchString(key)
}

// ownKey is a delivery's key: the ID of a message, and the number of its part.
var ownKey = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-\d{1,3}$`)

func subject(settings config, given string, reply bool) string {
	const longest = 500
	given = line(given)
	if given == "" {
		given = settings.FromName
	}
	if reply && !replyPrefix.MatchString(given) {
		given = "Re: " + given
	}
	if runes := []rune(given); len(runes) > longest {
		given = string(runes[:longest])
	}
	return given
}

// line returns a text on one line: a line break would end the header field.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// htmlOf is the text as the simplest HTML, which some clients show more legibly.
func htmlOf(text string) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n")
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(paragraph), "\n", "<br>\n") + "</p>\n")
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

func attach(ctx context.Context, msg *gomail.Msg, files []provider.OutboundAttachment) error {
	left := int64(maxAttached)
	for _, file := range files {
		content, err := read(ctx, file, left)
		if err != nil {
			return &provider.SendError{Kind: provider.Retryable, Detail: "The attachment cannot be read.", Cause: err}
		}
		if left -= int64(len(content)); left < 0 {
			return &provider.SendError{Kind: provider.Permanent, Detail: fmt.Sprintf("The attachments are larger than %d MiB.", maxAttached>>20)}
		}
		err = msg.AttachReader(line(file.Name), bytes.NewReader(content), gomail.WithFileContentType(gomail.ContentType(file.ContentType)))
		if err != nil {
			return &provider.SendError{Kind: provider.Permanent, Detail: "The attachment cannot be sent.", Cause: err}
		}
	}
	return nil
}

// read reads a file up to one byte more than the limit.
func read(ctx context.Context, file provider.OutboundAttachment, limit int64) ([]byte, error) {
	from, err := file.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("email: open attachment: %w", err)
	}
	defer func() { _ = from.Close() }()
	content, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return nil, fmt.Errorf("email: read attachment: %w", err)
	}
	return content, nil
}
