package email

import (
	"errors"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// phase is where an SMTP session failed.
type phase int

const (
	login phase = iota
	mailFrom
	rcptTo
	data
	endOfData
)

// maxDetail bounds what is kept of a server's text, in bytes.
const maxDetail = 300

var enhancedStatus = regexp.MustCompile(`^([245]\.\d{1,3}\.\d{1,3})\b`)

// Codes of SMTP (RFC 5321, RFC 4954) and enhanced status codes (RFC 3463).
var (
	credentialCodes = []int{530, 534, 535, 538}
	credentialState = []string{"5.7.8", "5.7.9", "5.7.11", "5.7.14"}
	goneCodes       = []int{550, 551, 553}
	goneState       = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
)

// loginFailure explains why a session could not be opened.
func loginFailure(c provider.Channel, err error) *provider.SendError {
	if _, ok := errors.AsType[*textproto.Error](err); ok {
		return classify(c, err, login)
	}
	failed := unreachable(c, "SMTP", err)
	switch text := err.Error(); {
	case strings.Contains(text, "does not support STARTTLS"):
		failed.Kind, failed.Detail = provider.Credentials, "The SMTP server does not support STARTTLS. Check the setting security."
	case strings.Contains(text, "SMTP AUTH") && !connectionLost(err):
		failed.Kind, failed.Detail = provider.Credentials, "The SMTP server accepts no login by password."
	}
	return failed
}

// connectionLost reports whether an error is of the connection, not of what was said.
func connectionLost(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// classify maps the response of an SMTP server.
func classify(c provider.Channel, err error, at phase) *provider.SendError {
	response, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		failed := unreachable(c, "SMTP", err)
		failed.Detail, failed.Ambiguous = "The connection to the SMTP server was lost.", at == endOfData
		return failed
	}
	state := ""
	if found := enhancedStatus.FindString(response.Msg); found != "" {
		state = found
	}
	return &provider.SendError{
		Kind: kindOf(response.Code, state, at), Code: strings.TrimSpace(strconv.Itoa(response.Code) + " " + state),
		Detail: short(provider.Redact(c, response.Msg)),
	}
}

func kindOf(code int, state string, at phase) provider.Kind {
	const permanent = 500
	switch {
	case code < permanent: // an unexpected success, too
		return provider.Retryable
	case slices.Contains(credentialCodes, code), slices.Contains(credentialState, state), at == login:
		return provider.Credentials
	case at == rcptTo && gone(code, state):
		return provider.Blocked
	}
	return provider.Permanent
}

// gone reports whether the response to a recipient says that there is no such mailbox.
func gone(code int, state string) bool {
	if state == "" {
		return slices.Contains(goneCodes, code)
	}
	return slices.Contains(goneState, state)
}

// short returns a server's text on one line.
func short(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}
