package email

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

var receivedAt = time.Unix(1_529_006_854, 0).UTC()

// sign returns the fields of Mailgun's signature.
func sign(key string, at time.Time) map[string]string {
	timestamp, token := strconv.FormatInt(at.Unix(), 10), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(timestamp + token))
	return map[string]string{"timestamp": timestamp, "token": token, "signature": hex.EncodeToString(mac.Sum(nil))}
}

// forwarded are the fields of a route, as Mailgun documents them.
func mailgunFields() map[string]string {
	fields := map[string]string{
		"recipient": "reply+" + token42 + "@in.shop.example", "sender": "bob@mg.example.net", "from": "Bob Nowak <Bob@example.net>",
		"subject": "Re: Sample POST request", "Message-Id": "<517ACC75.5010709@example.net>", "In-Reply-To": "<" + ownID + ">",
		"References": "<517AC78B.5060404@example.net> <" + ownID + ">", "Date": "Fri, 26 Apr 2013 11:50:29 -0700",
		"body-plain":    "Hi Alice,\n\nThis is Bob.\n\nThanks,\nBob\n\nOn 04/26/2013 11:29 AM, Alice wrote:\n> Hi Bob,\n>\n> This is Alice.",
		"stripped-text": "Hi Alice,\n\nThis is Bob.", "body-html": "<p>Hi Alice</p>", "content-id-map": "{}", "attachment-count": "1",
		"message-headers": `[["Received", "by luna.mailgun.net with SMTP mgrt 8788212249833; Fri, 26 Apr 2013 18:50:30 +0000"], ["X-Mailgun-Incoming", "Yes"], ["To", "Alice <help@shop.example>"]]`,
	}
	maps.Copy(fields, sign(mailgunKey, receivedAt))
	return fields
}

func encoded(fields map[string]string) provider.Request {
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return provider.Request{
		Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body: []byte(form.Encode()), ReceivedAt: receivedAt,
	}
}

func multiparted(t *testing.T, fields map[string]string) provider.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		require.NoError(t, form.WriteField(name, value))
	}
	file, err := form.CreateFormFile("attachment-1", "ż.png")
	require.NoError(t, err)
	_, err = file.Write([]byte("\x89PNG"))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	return provider.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {form.FormDataContentType()}}, Body: body.Bytes(), ReceivedAt: receivedAt}
}

func TestMailgunRoutesAreReceived(t *testing.T) {
	t.Parallel()
	want := provider.Message{
		ExternalID: "517ACC75.5010709@example.net", From: provider.Identity{ExternalID: "bob@example.net", Name: "Bob Nowak", Email: "bob@example.net"},
		Subject: "Re: Sample POST request", Text: "Hi Alice,\n\nThis is Bob.\n\nThanks,\nBob", ReplyTo: ownID,
		References: []string{"517AC78B.5060404@example.net", ownID}, ConversationToken: token42, SentAt: time.Date(2013, 4, 26, 18, 50, 29, 0, time.UTC),
	}
	c := newChannel(t, nil)
	require.Empty(t, newProvider().Validate(c))
	received, err := newProvider().Receive(c, encoded(mailgunFields()))
	require.NoError(t, err)
	require.Equal(t, []provider.Item{want}, received.Items)

	want.Attachments = []provider.Attachment{{Type: provider.Other, Name: "ż.png", ContentType: "application/octet-stream", SizeBytes: 4, Content: []byte("\x89PNG")}}
	received, err = newProvider().Receive(c, multiparted(t, mailgunFields()))
	require.NoError(t, err)
	require.Equal(t, []provider.Item{want}, received.Items)

	onlyHTML := mailgunFields()
	onlyHTML["body-plain"] = ""
	received, err = newProvider().Receive(c, encoded(onlyHTML))
	require.NoError(t, err)
	require.Equal(t, "Hi Alice", received.Items[0].(provider.Message).Text)
}

func TestMailgunSignaturesAreVerified(t *testing.T) {
	t.Parallel()
	with := func(change map[string]string) map[string]string {
		fields := mailgunFields()
		maps.Copy(fields, change)
		return fields
	}
	for name, fields := range map[string]map[string]string{
		"another key":   with(sign("key-of-someone-else-0123456789", receivedAt)),
		"no signature":  with(map[string]string{"signature": ""}),
		"not hex":       with(map[string]string{"signature": "zz"}),
		"another token": with(map[string]string{"token": "x"}),
		"another time":  with(map[string]string{"timestamp": "1529006855"}),
		"too old":       with(sign(mailgunKey, receivedAt.Add(-mailgunWindow-time.Second))),
		"in the future": with(sign(mailgunKey, receivedAt.Add(mailgunWindow+time.Second))),
	} {
		for _, request := range []provider.Request{encoded(fields), multiparted(t, fields)} {
			_, err := newProvider().Receive(newChannel(t, nil), request)
			require.ErrorIs(t, err, provider.ErrUnauthenticated, name)
		}
	}
	_, err := newProvider().Receive(newChannel(t, nil), encoded(with(sign(mailgunKey, receivedAt.Add(-mailgunWindow)))))
	require.NoError(t, err)
	open := newChannel(t, func(_ map[string]any, credentials map[string]string) { delete(credentials, "mailgunSigningKey") })
	_, err = newProvider().Receive(open, encoded(with(sign("", receivedAt))))
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a key accepts nothing")
}

func TestMailgunEventsAreDeliveryReports(t *testing.T) {
	t.Parallel()
	event := func(data string) provider.Request {
		signature, err := json.Marshal(sign(mailgunKey, receivedAt))
		require.NoError(t, err)
		return provider.Request{
			Header: http.Header{"Content-Type": {"application/json"}}, ReceivedAt: receivedAt,
			Body: []byte(`{"signature":` + string(signature) + `,"event-data":{"recipient":"Anna@example.com","message":{"headers":{"message-id":"` + ownID + `"}},` + data + `}}`),
		}
	}
	for data, want := range map[string][]provider.Item{
		`"event":"delivered"`: {provider.Status{ExternalID: ownID, Status: api.DeliveryStatusDELIVERED}},
		`"event":"failed","severity":"permanent","delivery-status":{"code":550,"enhanced-code":"5.1.1","message":"No such user","description":""}`: {
			provider.Status{ExternalID: ownID, Status: api.DeliveryStatusFAILED, Code: "5.1.1", Kind: provider.Blocked, Detail: "No such user"},
		},
		`"event":"failed","severity":"permanent","delivery-status":{"code":605,"message":"","description":"Not delivering to previously bounced address"}`: {
			provider.Status{ExternalID: ownID, Status: api.DeliveryStatusFAILED, Code: "605", Kind: provider.Permanent, Detail: "Not delivering to previously bounced address"},
		},
		`"event":"failed","severity":"temporary"`: nil,
		`"event":"opened"`:                        nil,
		`"event":"complained"`:                    {provider.Block{From: "anna@example.com", On: true}},
	} {
		received, err := newProvider().Receive(newChannel(t, nil), event(data))
		require.NoError(t, err)
		require.Equal(t, want, received.Items, data)
	}
	forged := event(`"event":"delivered"`)
	forged.ReceivedAt = receivedAt.Add(time.Hour)
	_, err := newProvider().Receive(newChannel(t, nil), forged)
	require.ErrorIs(t, err, provider.ErrUnauthenticated)
}

func postmarkChannel(t *testing.T) provider.Channel {
	t.Helper()
	return newChannel(t, func(config map[string]any, credentials map[string]string) {
		config["inbound"], config["replyAddress"] = "postmark", "yourhash@inbound.postmarkapp.com"
		credentials["postmarkUser"], credentials["postmarkPassword"] = testUser, testPassword
	})
}

func postmarkRequest(user, password string, body []byte) provider.Request {
	r := &http.Request{Header: http.Header{"Content-Type": {"application/json"}}}
	r.SetBasicAuth(user, password)
	return provider.Request{Method: http.MethodPost, Header: r.Header, Body: body, ReceivedAt: receivedAt}
}

func TestPostmarkMessagesAreReceived(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/postmark.json")
	require.NoError(t, err)
	c := postmarkChannel(t)
	require.Empty(t, newProvider().Validate(c))
	received, err := newProvider().Receive(c, postmarkRequest(testUser, testPassword, body))
	require.NoError(t, err)
	require.Equal(t, []string{"attachment 2 is not base64"}, received.Malformed)
	require.Equal(t, []provider.Item{provider.Message{
		ExternalID: "CAOX@mail.example.com", From: provider.Identity{ExternalID: "support@postmarkapp.com", Name: "Postmarkapp Support", Email: "support@postmarkapp.com"},
		Subject: "Test subject", Text: "This is a test text body.", ReplyTo: ownID, References: []string{"m1@example.com", ownID}, ConversationToken: "samplehash1",
		Attachments: []provider.Attachment{{
			Type: provider.Other, Name: "test.txt", ContentType: "text/plain", SizeBytes: 45, Content: []byte("This is attachment contents, base-64 encoded."),
		}},
	}}, received.Items)

	// HTML is read in the reader process.
	received, err = newProvider().Receive(c, postmarkRequest(testUser, testPassword, bytes.Replace(body, []byte(`"TextBody": "This`), []byte(`"TextBody": "", "X": "This`), 1)))
	require.NoError(t, err)
	require.Equal(t, "This is a test html body.", received.Items[0].(provider.Message).Text)

	received, err = newProvider().Receive(c, postmarkRequest(testUser, testPassword, []byte(`{"RecordType":"Open"}`)))
	require.NoError(t, err)
	require.Empty(t, received.Items)
	_, err = newProvider().Receive(c, postmarkRequest(testUser, testPassword, []byte(`[`)))
	require.ErrorIs(t, err, provider.ErrMalformed)
}

func TestPostmarkRequestsNeedThePassword(t *testing.T) {
	t.Parallel()
	for _, given := range [][2]string{{"", ""}, {testUser, ""}, {testUser, testPassword[:10]}, {"x", testPassword}, {testUser, testPassword + "x"}} {
		_, err := newProvider().Receive(postmarkChannel(t), postmarkRequest(given[0], given[1], []byte(`{}`)))
		require.ErrorIs(t, err, provider.ErrUnauthenticated)
	}
	_, err := newProvider().Receive(postmarkChannel(t), provider.Request{Header: http.Header{}, Body: []byte(`{}`)})
	require.ErrorIs(t, err, provider.ErrUnauthenticated)
	open := newChannel(t, func(config map[string]any, _ map[string]string) { config["inbound"] = "postmark" })
	_, err = newProvider().Receive(open, postmarkRequest("", "", []byte(`{}`)))
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a password accepts nothing")
	_, err = newProvider().Receive(newChannel(t, func(config map[string]any, _ map[string]string) { config["inbound"] = "imap" }), provider.Request{})
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a mailbox has no hook")
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(config map[string]any, credentials map[string]string)
		want   []string
	}{
		"addresses": {
			func(c map[string]any, _ map[string]string) {
				c["fromAddress"], c["replyAddress"] = "shop", "a b@x.example"
			},
			[]string{"/config/fromAddress", "/config/replyAddress"},
		},
		"private host": {func(c map[string]any, _ map[string]string) {
			c["smtp"] = map[string]any{"host": "10.0.0.1", "port": 25, "security": "tls"}
		}, []string{"/config/smtp/host"}},
		"password in the clear": {func(c map[string]any, credentials map[string]string) {
			c["smtp"] = map[string]any{"host": "mail.example.com", "port": 25, "security": "none"}
			credentials["smtpUsername"], credentials["smtpPassword"] = "a", "b"
		}, []string{"/config/smtp/security"}},
		"no mailbox":  {func(c map[string]any, _ map[string]string) { c["inbound"] = "imap" }, []string{"/config/imap"}},
		"no password": {func(_ map[string]any, credentials map[string]string) { credentials["smtpUsername"] = "a" }, []string{"/credentials/smtpPassword"}},
		"no key":      {func(_ map[string]any, credentials map[string]string) { delete(credentials, "mailgunSigningKey") }, []string{"/credentials/mailgunSigningKey"}},
		"no DKIM key": {func(c map[string]any, credentials map[string]string) {
			c["dkim"], credentials["dkimPrivateKey"] = map[string]any{"domain": "shop.example", "selector": "a"}, "-----BEGIN"
		}, []string{"/credentials/dkimPrivateKey"}},
		"IMAP": {func(c map[string]any, _ map[string]string) {
			c["inbound"], c["imap"] = "imap", map[string]any{"host": "mail.example.com", "port": 0, "security": "ssl"}
		}, []string{"/config/imap/security", "/config/imap", "/credentials/imapUsername", "/credentials/imapPassword"}},
	} {
		var pointers []string
		for _, one := range newProvider().Validate(newChannel(t, c.change)) {
			pointers = append(pointers, one.Pointer)
			require.NotContains(t, one.Message, "BEGIN")
		}
		require.Equal(t, c.want, pointers, name)
	}
}

func TestRecipientsAreAddresses(t *testing.T) {
	t.Parallel()
	got, ok := newProvider().Recipient("Anna Nowak <Anna@Example.com>")
	require.True(t, ok)
	require.Equal(t, provider.Identity{ExternalID: "anna@example.com", Name: "Anna Nowak", Email: "anna@example.com"}, got)
	for _, to := range []string{"", "anna", "anna@localhost", "+48 600 000 000", "a@example.com, b@example.com", strings.Repeat("a", 250) + "@example.com"} {
		_, ok := newProvider().Recipient(to)
		require.False(t, ok, to)
	}
}
