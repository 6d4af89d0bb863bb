package extract

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/inbucket/html2text"
	"github.com/jhillyerd/enmime/v2"
)

const (
	// MaxMessage is the longest email that is read, in bytes.
	MaxMessage = 25 << 20
	// The longest of what is kept of an email, in bytes.
	maxMessageText  = 256 << 10
	maxMessageFiles = 20 << 20
	maxHeaderValue  = 2 << 10
	maxFileName     = 200
	// maxFiles, maxRecipients and maxReferences bound how many are kept.
	maxFiles      = 20
	maxRecipients = 50
	maxReferences = 50
	maxPartErrors = 20
	// maxBoundaries and maxParts bound what the parser, which takes longer than linear time
	// for nested parts, has to do; maxRawHeader is the longest field that it decodes.
	maxBoundaries = 200
	maxParts      = 20_000
	maxRawHeader  = 64 << 10
)

// Message is an email. Texts are UTF-8, and IDs of messages have no angle brackets.
type Message struct {
	From Mailbox `json:"from"`
	// Recipients are the addresses that it was sent or delivered to, as far as its header
	// names them.
	Recipients []string  `json:"recipients,omitempty"`
	Subject    string    `json:"subject,omitempty"`
	Date       time.Time `json:"date,omitzero"`
	MessageID  string    `json:"messageId,omitempty"`
	InReplyTo  string    `json:"inReplyTo,omitempty"`
	References []string  `json:"references,omitempty"`
	// Header has those of MachineHeaders that are present, by their names there.
	Header map[string]string `json:"header,omitempty"`
	// Text is the plain text, or the text of the HTML if there is none.
	Text  string        `json:"text,omitempty"`
	Files []MessageFile `json:"files,omitempty"`
	// Omitted is how many files are missing, because there are too many or they are too
	// large.
	Omitted int `json:"omitted,omitempty"`
	// Report is set for a report (RFC 6522), such as a delivery status notification.
	Report *DeliveryReport `json:"report,omitzero"`
}

// Mailbox is an address with its name.
type Mailbox struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// MessageFile is an attachment. Its content is decoded and was not opened.
type MessageFile struct {
	Name        string `json:"name,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	Content     []byte `json:"content"`
}

// MachineHeaders are the fields that tell whether a machine wrote a message.
var MachineHeaders = []string{
	"Auto-Submitted", "Precedence", "List-Id", "List-Post", "List-Unsubscribe", "Return-Path", "X-Auto-Response-Suppress",
	"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Loop",
}

// deliveredTo are the fields that name recipients.
var deliveredTo = []string{"To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Forwarded-To"}

// signatures are parts of signed messages that say nothing to a reader.
var signatures = []string{"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}

// readMessage reads an email. Malformed parts are omitted.
func readMessage(content []byte) (Message, error) {
	if len(content) > MaxMessage {
		return Message{}, failed(TooLarge, "It is longer than %d MiB.", MaxMessage>>20)
	}
	if bytes.Count(bytes.ToLower(content), []byte("boundary=")) > maxBoundaries || bytes.Count(content, []byte("\n--")) > maxParts {
		return Message{}, failed(Corrupt, "It has too many parts.")
	}
	parser := enmime.NewParser(enmime.SkipMalformedParts(true), enmime.MultipartWOBoundaryAsSinglePart(true), enmime.MaxStoredPartErrors(maxPartErrors),
		enmime.DisableTextConversion(true), enmime.DisableCharacterDetection(true), enmime.SetReadPartErrorPolicy(enmime.AllowCorruptTextPartErrorPolicy))
	envelope, err := parser.ReadEnvelope(bytes.NewReader(content))
	if err != nil {
		return Message{}, failed(Corrupt, "It is not an email.")
	}
	for _, values := range envelope.Root.Header {
		for i, value := range values {
			values[i] = cutBytes(value, maxRawHeader)
		}
	}
	m := headerOf(envelope)
	if m.Text, err = textOfMessage(envelope); err != nil {
		return Message{}, err
	}
	if strings.EqualFold(envelope.Root.ContentType, "multipart/report") {
		m.Report = reportOf(envelope.Root)
		return m, nil
	}
	m.Files, m.Omitted = filesOf(envelope)
	return m, nil
}

func headerOf(e *enmime.Envelope) Message {
	m := Message{Subject: field(e, "Subject"), Header: map[string]string{}, References: MessageIDs(field(e, "References"))}
	if from, err := e.AddressList("From"); err == nil && len(from) > 0 {
		m.From = Mailbox{Name: plain(from[0].Name), Address: plain(from[0].Address)}
	}
	if date, err := mail.ParseDate(e.GetHeader("Date")); err == nil {
		m.Date = date.UTC()
	}
	if ids := MessageIDs(field(e, "Message-Id")); len(ids) > 0 {
		m.MessageID = ids[0]
	}
	if ids := MessageIDs(field(e, "In-Reply-To")); len(ids) > 0 {
		m.InReplyTo = ids[0]
	}
	for _, name := range deliveredTo {
		for _, value := range e.GetHeaderValues(name) {
			m.Recipients = append(m.Recipients, Addresses(value)...)
		}
	}
	m.Recipients = m.Recipients[:min(len(m.Recipients), maxRecipients)]
	for _, name := range MachineHeaders {
		if value := field(e, name); value != "" {
			m.Header[name] = value
		}
	}
	return m
}

// field returns a header field on one line, cut if it is too long.
func field(e *enmime.Envelope, name string) string {
	return cutBytes(plain(e.GetHeader(name)), maxHeaderValue)
}

// plain returns a text as one line of valid UTF-8 without control characters.
func plain(text string) string {
	return squeeze(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")))
}

// cutBytes returns at most limit bytes of a text, and no part of a character.
func cutBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// MessageIDs returns the IDs in a field such as References, without angle brackets. The
// latest ones are kept if there are too many.
func MessageIDs(value string) []string {
	var ids []string
	for {
		_, rest, ok := strings.Cut(value, "<")
		if !ok {
			break
		}
		var id string
		if id, value, ok = strings.Cut(rest, ">"); !ok {
			break
		}
		if id = strings.Join(strings.Fields(id), ""); id != "" {
			ids = append(ids, id)
		}
	}
	return ids[max(0, len(ids)-maxReferences):]
}

// Addresses returns the addresses in a field such as To. Malformed ones are omitted.
func Addresses(value string) []string {
	list, err := enmime.ParseAddressList(value)
	if err != nil {
		return nil
	}
	var found []string
	for _, one := range list {
		found = append(found, plain(one.Address))
	}
	return found
}

// textOfMessage returns the text that a person wrote: all plain texts, which Apple Mail
// writes between files, else the text of the HTML.
func textOfMessage(e *enmime.Envelope) (string, error) {
	var texts []string
	for _, part := range e.Root.DepthMatchAll(isText) {
		if text := strings.TrimSpace(string(part.Content)); text != "" {
			texts = append(texts, text)
		}
	}
	text := strings.Join(texts, "\n\n")
	if text == "" && e.HTML != "" {
		converted, err := html2text.FromString(e.HTML)
		if err != nil {
			return "", failed(Corrupt, "Its HTML cannot be read.")
		}
		text = converted
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	return cutBytes(text, maxMessageText), nil
}

func isText(p *enmime.Part) bool {
	return (p.ContentType == "text/plain" || p.ContentType == "" && p.FirstChild == nil) && p.Disposition != "attachment" && p.FileName == ""
}

// filesOf returns the attachments and inline files, up to the limits.
func filesOf(e *enmime.Envelope) (files []MessageFile, omitted int) {
	total := 0
	for _, part := range slices.Concat(e.Attachments, e.Inlines, e.OtherParts) {
		if isText(part) || slices.Contains(signatures, part.ContentType) || part.ContentType == "text/html" && part.FileName == "" {
			continue
		}
		total += len(part.Content)
		if len(files) == maxFiles || total > maxMessageFiles {
			total -= len(part.Content)
			omitted++
			continue
		}
		files = append(files, MessageFile{Name: fileName(part.FileName), ContentType: cutBytes(plain(part.ContentType), maxFileName), Content: part.Content})
	}
	return files, omitted
}

// fileName returns the last element of a path, which it should not have.
func fileName(name string) string {
	name = plain(name)
	if at := strings.LastIndexAny(name, `/\`); at >= 0 {
		name = name[at+1:]
	}
	return cutBytes(name, maxFileName)
}
