package extract_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/reader"
)

// readMessage reads an email in a reader process.
func readMessage(t *testing.T, content string) (extract.Message, error) {
	t.Helper()
	program, err := reader.Path()
	require.NoError(t, err)
	return (&extract.Runner{Binary: program}).ReadMessage(t.Context(), strings.NewReader(content))
}

func mustReadMessage(t *testing.T, content string) extract.Message {
	t.Helper()
	message, err := readMessage(t, strings.ReplaceAll(content, "\n", "\r\n"))
	require.NoError(t, err)
	return message
}

func TestMessagesAreRead(t *testing.T) {
	t.Parallel()
	require.Equal(t, extract.Message{
		From: extract.Mailbox{Name: "Anna Ż", Address: "Anna@example.com"}, Recipients: []string{"a@example.com", "b@example.com", "c@example.com"},
		Subject: "Zwrot butów", Date: time.Date(2024, 2, 5, 9, 12, 0, 0, time.UTC), MessageID: "m3@example.com", InReplyTo: "m2@example.com",
		References: []string{"m1@example.com", "m2@example.com"}, Header: map[string]string{"Precedence": "bulk"}, Text: "Cześć",
	}, mustReadMessage(t, "From: =?iso-8859-2?q?Anna_=AF?= <Anna@example.com>\nTo: A <a@example.com>, b@example.com\nDelivered-To: c@example.com\n"+
		"Subject: =?utf-8?b?Wndyb3QgYnV0w7N3?=\nDate: Mon, 5 Feb 2024 10:12:00 +0100\nMessage-ID: <m3@example.com>\nIn-Reply-To: <m2@example.com> (Jan)\n"+
		"References: <m1@example.com>\n <m2@example.com>\nPrecedence: bulk\nX-Other: x\nContent-Type: multipart/alternative; boundary=b\n\n"+
		"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nCze=C5=9B=C4=87\n--b\nContent-Type: text/html\n\n<p>Other</p>\n--b--\n"))
}

func TestTextOfHTMLIsReadWhereThereIsNoOther(t *testing.T) {
	t.Parallel()
	message := mustReadMessage(t, "From: a@example.com\nContent-Type: text/html; charset=windows-1250\nContent-Transfer-Encoding: base64\n\n"+
		"PHNjcmlwdD54KCk8L3NjcmlwdD48cD5aYbzzs+YgPGI+Z+bqtjwvYj48L3A+PGJsb2NrcXVvdGU+b2xkPC9ibG9ja3F1b3RlPg==\n")
	require.Contains(t, message.Text, "Za")
	require.Contains(t, message.Text, "> old")
	require.NotContains(t, message.Text, "x()")
}

func TestFilesOfMessagesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n")
	for i := range 30 {
		fmt.Fprintf(&b, "--b\nContent-Type: application/x; name=\"../%d\x01.bin\"\nContent-Disposition: attachment\n\nx%d\n", i, i)
	}
	message := mustReadMessage(t, b.String()+"--b--\n")
	require.Len(t, message.Files, 20)
	require.Equal(t, 10, message.Omitted)
	require.NotContains(t, message.Files[0].Name, "/")
	require.NotContains(t, message.Files[0].Name, "\x01")

	large := mustReadMessage(t, "From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/x\nContent-Disposition: attachment\n\n"+
		strings.Repeat("0123456789abcde\n", 21<<16)+"\n--b--\n")
	require.Empty(t, large.Files)
	require.Equal(t, 1, large.Omitted)
	require.Len(t, mustReadMessage(t, "From: a@example.com\n\n"+strings.Repeat("ż", 1<<20)).Text, 256<<10)
}

func TestMessagesThatAreTooLongAreRefused(t *testing.T) {
	t.Parallel()
	_, err := readMessage(t, "From: a@example.com\r\n\r\n"+strings.Repeat("x", extract.MaxMessage))
	blame, ok := errors.AsType[*extract.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, extract.TooLarge, blame.Code)
}

// TestHostileMessagesHarmNothing reads messages that are made to exhaust the parser: it
// reads what it can, or blames the message.
func TestHostileMessagesHarmNothing(t *testing.T) {
	t.Parallel()
	var nested strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for name, content := range map[string]string{
		"empty":           "",
		"binary":          "\x00\xff\xfe\r\n\r\n\x00",
		"nested parts":    nested.String(),
		"many parts":      "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 200_000),
		"nested elements": "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div><font>", 100_000),
		"long header":     "Subject: " + strings.Repeat("x", 10<<20) + "\r\n\r\nHello",
		"many addresses":  "From: " + strings.Repeat("a@example.com, ", 200_000) + "b@example.com\r\n\r\nHello",
		"no boundary":     "Content-Type: multipart/mixed\r\n\r\nHello",
		"report":          "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + strings.Repeat("Action: failed\r\n\r\n", 10_000) + "--b--",
	} {
		message, err := readMessage(t, content)
		if err != nil {
			_, ok := errors.AsType[*extract.Error](err)
			require.True(t, ok, "%s: %v", name, err)
			continue
		}
		require.LessOrEqual(t, len(message.Text), 256<<10, name)
		require.LessOrEqual(t, len(message.Subject), 2<<10, name)
		if message.Report != nil {
			require.LessOrEqual(t, len(message.Report.Recipients), 20, name)
		}
	}
}
