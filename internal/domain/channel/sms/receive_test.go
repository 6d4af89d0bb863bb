package sms_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	model "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/sms"
	"github.com/avelto/convo/internal/domain/channel/twilio"
)

// signed is a request as Twilio signs it.
func signed(form url.Values) provider.Request {
	return provider.Request{
		Method: http.MethodPost, Body: []byte(form.Encode()),
		Header: http.Header{"X-Twilio-Signature": {twilio.Sign(token, channel().HookURL, form)}},
	}
}

func receive(t *testing.T, form url.Values) provider.Received {
	t.Helper()
	received, err := (&sms.Provider{}).Receive(channel(), signed(form))
	require.NoError(t, err)
	return received
}

func text(body string, more ...string) url.Values {
	form := url.Values{
		"MessageSid": {"SM1"}, "SmsSid": {"SM1"}, "SmsStatus": {"received"}, "AccountSid": {account}, "From": {"+48123456789"}, "To": {"+15005550006"},
		"Body": {body}, "NumMedia": {"0"}, "NumSegments": {"1"},
	}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// TestSignatureIsThatOfTheDocumentation uses the example of
// https://www.twilio.com/docs/usage/security.
func TestSignatureIsThatOfTheDocumentation(t *testing.T) {
	t.Parallel()
	form := url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"},
	}
	require.Equal(t, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", twilio.Sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form))
}

func TestMessagesAreParsed(t *testing.T) {
	t.Parallel()
	received := receive(t, text("Cześć 🙂; a+b&c"))
	require.Equal(t, []provider.Item{provider.Message{
		ExternalID: "SM1", Text: "Cześć 🙂; a+b&c", From: provider.Identity{ExternalID: "+48123456789", Phone: "+48123456789"},
	}}, received.Items)
	require.Equal(t, "text/xml; charset=utf-8", received.Reply.ContentType)
	require.NotContains(t, string(received.Reply.Body), "Message")
	name := receive(t, text("x", "From", "AMAZON")).Items[0].(provider.Message)
	require.Equal(t, provider.Identity{ExternalID: "AMAZON"}, name.From)
}

func TestFilesAreParsed(t *testing.T) {
	t.Parallel()
	received := receive(t, text("", "NumMedia", "3", "MediaUrl0", "https://api.twilio.com"+media, "MediaContentType0", "image/jpeg",
		"MediaUrl1", "https://evil.example/x", "MediaContentType1", "image/png", "MediaUrl2", "https://api.twilio.com"+media, "MediaContentType2", "audio/amr"))
	require.Equal(t, []string{"MediaUrl1"}, received.Malformed)
	require.Equal(t, []provider.Attachment{
		{Type: provider.Image, Name: "file0.jpg", ContentType: "image/jpeg", SizeBytes: -1, ExternalID: media},
		{Type: provider.Audio, Name: "file2.amr", ContentType: "audio/amr", SizeBytes: -1, ExternalID: media},
	}, received.Items[0].(provider.Message).Attachments)
}

// TestKeywordsAreNotAnswered lets Twilio respond to them.
func TestKeywordsAreNotAnswered(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]provider.Item{
		"Stop\n": {provider.Block{From: "+48123456789", On: true}}, "UNSUBSCRIBE": {provider.Block{From: "+48123456789", On: true}},
		"start": {provider.Block{From: "+48123456789"}}, "help": {}, "INFO": {},
	} {
		items := receive(t, text(body)).Items
		require.True(t, items[0].(provider.Message).Automatic, body)
		require.Equal(t, want, items[1:], body)
	}
	for _, body := range []string{"Please stop it", "Yes", "stop.", ""} {
		items := receive(t, text(body)).Items
		require.Len(t, items, 1, body)
		require.False(t, items[0].(provider.Message).Automatic, body)
	}
	chosen := receive(t, text("Genug", "OptOutType", "STOP")).Items
	require.Equal(t, provider.Block{From: "+48123456789", On: true}, chosen[1], "a keyword that the account has chosen")
}

func TestDeliveryReportsAreParsed(t *testing.T) {
	t.Parallel()
	report := func(status, code string) []provider.Item {
		form := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {status}, "SmsStatus": {status}, "To": {"+48123456789"}, "From": {"+15005550006"}}
		if code != "" {
			form.Set("ErrorCode", code)
		}
		received := receive(t, form)
		require.Nil(t, received.Reply)
		return received.Items
	}
	for _, status := range []string{"accepted", "queued", "sending", "sent"} {
		require.Empty(t, report(status, ""))
	}
	require.Equal(t, []provider.Item{provider.Status{ExternalID: "SM1", Status: model.DeliveryStatusDELIVERED}}, report("delivered", ""))
	require.Equal(t, []provider.Item{provider.Status{ExternalID: "SM1", Status: model.DeliveryStatusREAD}}, report("read", ""))
	for code, kind := range map[string]provider.Kind{"30003": provider.Blocked, "30007": provider.Permanent, "30001": provider.Retryable, "": provider.Permanent} {
		items := report("undelivered", code)
		require.Len(t, items, 1)
		status := items[0].(provider.Status)
		require.Equal(t, provider.Status{ExternalID: "SM1", Status: model.DeliveryStatusFAILED, Code: code, Kind: kind, Detail: status.Detail}, status)
		require.NotEmpty(t, status.Detail)
	}
	require.Equal(t, provider.Block{From: "+48123456789", On: true}, report("failed", "21610")[1])
}

func TestRequestsThatAreNotSignedAreRejected(t *testing.T) {
	t.Parallel()
	p, form := &sms.Provider{}, text("x")
	reject := func(c provider.Channel, change func(*provider.Request)) {
		t.Helper()
		request := signed(form)
		change(&request)
		_, err := p.Receive(c, request)
		require.ErrorIs(t, err, provider.ErrUnauthenticated)
	}
	good := twilio.Sign(token, channel().HookURL, form)
	reject(channel(), func(r *provider.Request) { r.Header = nil })
	reject(channel(), func(r *provider.Request) { r.Header.Set("X-Twilio-Signature", "") })
	reject(channel(), func(r *provider.Request) { r.Header.Set("X-Twilio-Signature", good[:10]) })
	reject(channel(), func(r *provider.Request) { r.Header.Set("X-Twilio-Signature", "!"+good[1:]) })
	reject(channel(), func(r *provider.Request) { r.Body = []byte(text("y").Encode()) })
	reject(channel(), func(r *provider.Request) { r.Body = append(r.Body, "&Body=y"...) })
	reject(channel(), func(r *provider.Request) { r.Body = append(r.Body, "&%zz"...) })
	reject(channel(), func(r *provider.Request) { r.Query = url.Values{"event": {"x"}} })
	other := channel()
	other.HookURL = "https://convo.example/hooks/2"
	reject(other, func(*provider.Request) {})
	open := channel()
	open.Credentials = nil
	reject(open, func(r *provider.Request) { r.Header.Set("X-Twilio-Signature", twilio.Sign("", open.HookURL, form)) })
}

func TestRequestsWithoutAMessageAreMalformed(t *testing.T) {
	t.Parallel()
	for _, missing := range [][]string{{"MessageSid", "SmsSid"}, {"From"}} {
		form := text("x")
		maps.DeleteFunc(form, func(name string, _ []string) bool { return slices.Contains(missing, name) })
		_, err := (&sms.Provider{}).Receive(channel(), signed(form))
		require.ErrorIs(t, err, provider.ErrMalformed)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(text("x").Encode())
	f.Add("NumMedia=99999999&MessageSid=x&From=y&MediaUrl0=%3A")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		if _, err := (&sms.Provider{}).Receive(channel(), signed(form)); err != nil {
			require.ErrorIs(t, err, provider.ErrMalformed)
		}
	})
}
