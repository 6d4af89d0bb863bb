package email

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// raw is a message from Anna with more header fields.
func raw(fields, body string) string {
	return strings.ReplaceAll("From: =?utf-8?q?Anna_=C5=BB?= <Anna@Example.com>\nTo: Shop <help@shop.example>\nSubject: =?utf-8?q?Zwrot_but=C3=B3w?=\n"+
		"Date: Mon, 5 Feb 2024 10:12:00 +0100\nMessage-ID: <a1@example.com>\n"+fields+"\n"+body, "\n", "\r\n")
}

// received reads a message in the reader process.
func received(t *testing.T, content string) []provider.Item {
	t.Helper()
	found, err := newProvider().read(t.Context(), uuid.New(), strings.NewReader(content))
	require.NoError(t, err)
	return items(testSettings(t), found)
}

func TestMessagesAreParsed(t *testing.T) {
	t.Parallel()
	want := provider.Message{
		ExternalID: "a1@example.com", From: provider.Identity{ExternalID: "anna@example.com", Name: "Anna Ż", Email: "anna@example.com"},
		Subject: "Zwrot butów", Text: "Chcę zwrócić.", SentAt: time.Date(2024, 2, 5, 9, 12, 0, 0, time.UTC),
	}
	plain := "Content-Type: text/plain; charset=iso-8859-2\n"
	require.Equal(t, []provider.Item{want}, received(t, raw(plain, "Chc\xea zwr\xf3ci\xe6.\n-- \nAnna")))

	want.ReplyTo, want.References, want.ConversationToken = ownID, []string{"m1@example.com", ownID}, token42
	require.Equal(t, []provider.Item{want}, received(t, raw(plain+"Delivered-To: reply+"+strings.ToUpper(token42)+"@IN.shop.example\n"+
		"References: <m1@example.com>\nIn-Reply-To: <"+ownID+">\n", "Chc\xea zwr\xf3ci\xe6.")))

	want.ReplyTo, want.References, want.ConversationToken = "", nil, ""
	require.Equal(t, []provider.Item{want}, received(t, raw("Content-Type: text/html; charset=utf-8\n", "<style>p{}</style><p>Chcę zwrócić.</p><blockquote>stare</blockquote>")))
}

func TestMessagesWithFilesAreParsed(t *testing.T) {
	t.Parallel()
	body := "--b\nContent-Type: text/plain\n\nFirst\n--b\nContent-Type: image/png; name=\"a.png\"\nContent-Disposition: inline; filename=\"../a.png\"\n" +
		"Content-Transfer-Encoding: base64\n\niVBORw0K\n--b\nContent-Type: text/plain\n\nSecond\n--b\nContent-Type: application/pdf\n" +
		"Content-Disposition: attachment; filename*=utf-8''faktura%20%C5%BC.pdf\n\n%PDF\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n"
	got := received(t, raw("Content-Type: multipart/mixed; boundary=b\n", body))
	message := got[0].(provider.Message)
	require.Equal(t, "First\n\nSecond", message.Text)
	require.Len(t, message.Attachments, 2)
	byName := map[string]provider.Attachment{}
	for _, one := range message.Attachments {
		byName[one.Name] = one
	}
	require.Equal(t, provider.Attachment{Type: provider.Image, Name: "a.png", ContentType: "image/png", SizeBytes: 6, Content: []byte("\x89PNG\r\n")}, byName["a.png"])
	require.Equal(t, "%PDF", strings.TrimSpace(string(byName["faktura ż.pdf"].Content)))
}

func TestAMessageWithoutTextSaysItsSubject(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Zwrot butów", received(t, raw("", ""))[0].(provider.Message).Text)
}

func TestMessagesWithoutAnIDAreRecognized(t *testing.T) {
	t.Parallel()
	content := strings.Replace(raw("", "Hello"), "Message-ID: <a1@example.com>\r\n", "", 1)
	first, again := received(t, content)[0].(provider.Message), received(t, content)[0].(provider.Message)
	require.Contains(t, first.ExternalID, "sha256:")
	require.Equal(t, first.ExternalID, again.ExternalID)
	require.NotEqual(t, first.ExternalID, received(t, content+"!")[0].(provider.Message).ExternalID)
}

func TestMachinesAreRecognized(t *testing.T) {
	t.Parallel()
	for _, fields := range []string{
		"Auto-Submitted: auto-replied\n", "Auto-Submitted: auto-generated; owner-email=\"x@example.com\"\n", "auto-submitted: AUTO-NOTIFIED (rejected)\n",
		"Precedence: bulk\n", "Precedence: Junk\n", "Precedence: list\n", "Precedence: auto_reply\n",
		"List-Id: News <news.example.com>\n", "List-Unsubscribe: <mailto:x@example.com>\n", "X-Autoreply: yes\n", "X-Autorespond: yes\n",
		"X-Auto-Response-Suppress: All\n", "X-Loop: anna@example.com\n", "Return-Path: <>\n",
	} {
		got := received(t, raw(fields, "I am away."))
		require.Len(t, got, 1, fields)
		require.True(t, got[0].(provider.Message).Automatic, fields)
	}
	for _, fields := range []string{"", "Auto-Submitted: no\n", "Precedence: first-class\n", "Return-Path: <anna@example.com>\n"} {
		require.False(t, received(t, raw(fields, "Hello"))[0].(provider.Message).Automatic, fields)
	}
	require.True(t, received(t, strings.Replace(raw("", "x"), "Anna@Example.com", "no-reply@example.com", 1))[0].(provider.Message).Automatic)
}

func TestOwnMessagesAreIgnored(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"HELP@shop.example", "reply@in.shop.example", "reply+" + token42 + "@in.shop.example"} {
		require.Empty(t, received(t, strings.Replace(raw("", "x"), "Anna@Example.com", address, 1)), address)
	}
	require.Empty(t, received(t, strings.Replace(raw("", "x"), "a1@example.com", ownID, 1)))
	require.Empty(t, received(t, strings.Replace(raw("", "x"), "<Anna@Example.com>", "", 1)), "no one to reply to")
}

func TestUnsubscribingBlocks(t *testing.T) {
	t.Parallel()
	content := strings.Replace(raw("X-Original-To: reply+"+token42+"@in.shop.example\n", ""), "=?utf-8?q?Zwrot_but=C3=B3w?=", "Unsubscribe", 1)
	require.Equal(t, []provider.Item{provider.Block{From: "anna@example.com", On: true}}, received(t, content))
	require.IsType(t, provider.Message{}, received(t, strings.Replace(content, "X-Original-To", "X-Other", 1))[0], "a word to anyone else")
}

// report is a delivery status notification as Postfix writes it.
func report(action, status, diagnostic, id string) string {
	return raw("Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\nAuto-Submitted: auto-replied\nReturn-Path: <>\n",
		"--b\nContent-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\nI'm sorry to have to inform you\n"+
			"--b\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.net\nArrival-Date: Mon,  5 Feb 2024 10:12:00 +0100\n\n"+
			"Final-Recipient: rfc822; gone@example.net\nAction: "+action+"\nStatus: "+status+"\nRemote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; "+diagnostic+"\n    continued\n"+
			"\n--b\nContent-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\nReturn-Path: <help@shop.example>\nMessage-ID: <"+id+">\nSubject: Re: Buty\n\n--b--\n")
}

func TestDeliveryStatusNotificationsAreReports(t *testing.T) {
	t.Parallel()
	failed := provider.Status{
		ExternalID: ownID, Status: api.DeliveryStatusFAILED, Code: "5.1.1", Kind: provider.Blocked, Detail: "550 5.1.1 <gone@example.net>: User unknown continued",
	}
	require.Equal(t, []provider.Item{failed}, received(t, report("failed", "5.1.1", "550 5.1.1 <gone@example.net>: User unknown", ownID)))
	failed.Code, failed.Kind, failed.Detail = "4.4.1", provider.Permanent, "timeout continued"
	require.Equal(t, []provider.Item{failed}, received(t, report("Failed", "4.4.1", "timeout", ownID)), "the server has given up")
	require.Equal(t, []provider.Item{provider.Status{ExternalID: ownID, Status: api.DeliveryStatusDELIVERED}}, received(t, report("delivered", "2.0.0", "250 ok", ownID)))
	for _, content := range []string{
		report("delayed", "4.4.1", "timeout", ownID), report("relayed", "2.0.0", "250 ok", ownID),
		report("failed", "5.1.1", "someone else's", "m1@example.com"),
		raw("Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n", "--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: x\n--b--\n"),
	} {
		require.Empty(t, received(t, content))
	}
}

func TestBouncesWithoutAReportAreReports(t *testing.T) {
	t.Parallel()
	content := strings.Replace(raw("", "Hi. This is the qmail-send program.\n<gone@example.net>:\n550 5.1.1 unknown\n\n--- Below this line is a copy of the message.\n\nMessage-ID: <"+ownID+">\n"),
		"Anna@Example.com", "MAILER-DAEMON@example.net", 1)
	require.Equal(t, []provider.Item{provider.Status{
		ExternalID: ownID, Status: api.DeliveryStatusFAILED, Code: "5.1.1", Kind: provider.Blocked, Detail: "The message was returned: Zwrot butów",
	}}, received(t, content))
	require.Empty(t, received(t, strings.Replace(content, ownID, "m1@example.com", 1)))
}
