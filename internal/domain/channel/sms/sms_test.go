package sms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/sms"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

const (
	token   = "an-auth-token-0123456789abcdef"
	account = "AC0123456789abcdef0123456789abcdef"
	sent    = "SM0123456789abcdef0123456789abcdef"
	number  = "PN0123456789abcdef0123456789abcdef"
	media   = "/2010-04-01/Accounts/" + account + "/Messages/MM0123456789abcdef0123456789abcdef/Media/ME0123456789abcdef0123456789abcdef"
)

func channel() provider.Channel {
	return provider.Channel{
		Config: json.RawMessage(`{"accountSid":"` + account + `","from":"+15005550006"}`), Credentials: map[string]string{"authToken": token},
		HookURL: "https://convo.example/hooks/1",
	}
}

// call is a request to Twilio's API.
type call struct {
	method, path, user, password string
	form                         url.Values
}

// account is an API that responds to every call with one response.
type api struct {
	*sms.Provider

	channel provider.Channel

	mu    sync.Mutex
	calls []call
}

func newAPI(t *testing.T, handler func(w http.ResponseWriter, r *http.Request)) *api {
	t.Helper()
	a := &api{channel: channel()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		user, password, _ := r.BasicAuth()
		a.mu.Lock()
		a.calls = append(a.calls, call{r.Method, r.URL.String(), user, password, form})
		a.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	a.Provider, a.channel.APIBaseURL = &sms.Provider{Client: client}, server.URL
	return a
}

func respond(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (a *api) send(t *testing.T, text string) (provider.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return a.Send(ctx, a.channel, provider.Outbound{To: "+48123456789", Text: text})
}

func TestTextIsSent(t *testing.T) {
	t.Parallel()
	a := newAPI(t, respond(http.StatusCreated, `{"sid":"`+sent+`","status":"queued","num_segments":"1"}`))
	got, err := a.send(t, "Cześć 🙂")
	require.NoError(t, err)
	require.Equal(t, []string{sent}, got.ExternalIDs)
	want := call{http.MethodPost, "/2010-04-01/Accounts/" + account + "/Messages.json", account, token, url.Values{
		"To": {"+48123456789"}, "From": {"+15005550006"}, "Body": {"Cześć 🙂"}, "StatusCallback": {"https://convo.example/hooks/1"},
	}}
	require.Equal(t, []call{want}, a.calls)

	a.channel.Config = json.RawMessage(`{"accountSid":"` + account + `","messagingServiceSid":"MG0123456789abcdef0123456789abcdef"}`)
	_, err = a.send(t, "x")
	require.NoError(t, err)
	require.Equal(t, "MG0123456789abcdef0123456789abcdef", a.calls[1].form.Get("MessagingServiceSid"))
	require.False(t, a.calls[1].form.Has("From"))
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	refused := func(status, code int) (int, string) {
		return status, fmt.Sprintf(`{"code":%d,"message":"why","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, code, status)
	}
	for name, c := range map[string]struct {
		status, code int
		response     string
		want         provider.SendError
	}{
		"wrong token":       {401, 20003, "", provider.SendError{Kind: provider.Credentials, Code: "20003"}},
		"rate limit":        {429, 20429, "", provider.SendError{Kind: provider.Retryable, Code: "20429", WholeChannel: true, RetryAfter: 7 * time.Second}},
		"opted out":         {400, 21610, "", provider.SendError{Kind: provider.Blocked, Code: "21610"}},
		"landline":          {400, 21614, "", provider.SendError{Kind: provider.Blocked, Code: "21614"}},
		"no such sender":    {400, 21659, "", provider.SendError{Kind: provider.Credentials, Code: "21659"}},
		"region not on":     {403, 21408, "", provider.SendError{Kind: provider.Permanent, Code: "21408"}},
		"queue full":        {400, 21611, "", provider.SendError{Kind: provider.Retryable, Code: "21611"}},
		"too long":          {400, 21617, "", provider.SendError{Kind: provider.Permanent, Code: "21617"}},
		"server error":      {500, 20500, "", provider.SendError{Kind: provider.Retryable, Code: "20500", RetryAfter: 7 * time.Second}},
		"proxy error":       {502, 0, "<html>", provider.SendError{Kind: provider.Retryable, Code: "502", RetryAfter: 7 * time.Second}},
		"gateway timeout":   {504, 0, "<html>", provider.SendError{Kind: provider.Retryable, Code: "504", RetryAfter: 7 * time.Second, Ambiguous: true}},
		"success that lies": {201, 0, "<html>", provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
		"success of none":   {201, 0, "{}", provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
	} {
		status, body := c.status, c.response
		if c.code != 0 {
			status, body = refused(c.status, c.code)
		}
		_, err := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			respond(status, body)(w, r)
		}).send(t, strings.Repeat("ż", 71))
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok, name)
		require.NotEmpty(t, failed.Detail, name)
		if body != "{}" {
			require.Contains(t, failed.Detail, "[2 segments, UCS-2]", name)
		}
		c.want.Detail, c.want.Cause = failed.Detail, failed.Cause
		require.Equal(t, c.want, *failed, name)
	}
}

func TestErrorsTellWhetherTheRequestWasSentAndHideTheToken(t *testing.T) {
	t.Parallel()
	refused := newAPI(t, respond(http.StatusCreated, "{}"))
	refused.channel.APIBaseURL = "http://127.0.0.1:1"
	silent := newAPI(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for want, a := range map[bool]*api{false: refused, true: silent} {
		_, err := a.send(t, "x")
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok)
		require.Equal(t, want, failed.Ambiguous)
		require.Equal(t, provider.Retryable, failed.Kind)
		require.NotContains(t, fmt.Sprintf("%v %v", err, failed.Cause), token)
	}
}

func TestCheckNamesAnActiveAccount(t *testing.T) {
	t.Parallel()
	a := newAPI(t, respond(http.StatusOK, `{"sid":"`+account+`","friendly_name":"Shop","status":"active"}`))
	name, err := a.Check(t.Context(), a.channel)
	require.NoError(t, err)
	require.Equal(t, "Shop", name)
	require.Equal(t, "/2010-04-01/Accounts/"+account+".json", a.calls[0].path)

	a = newAPI(t, respond(http.StatusOK, `{"friendly_name":"Shop","status":"suspended"}`))
	_, err = a.Check(t.Context(), a.channel)
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok)
	require.Equal(t, provider.Credentials, failed.Kind)
}

func TestHookIsSetAndRemoved(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"incoming_phone_numbers":[{"sid":"`+number+`"}]}`)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	require.NoError(t, a.Connect(t.Context(), a.channel))
	require.NoError(t, a.Disconnect(t.Context(), a.channel))
	require.Len(t, a.calls, 4)
	require.Equal(t, "/2010-04-01/Accounts/"+account+"/IncomingPhoneNumbers.json?PhoneNumber=%2B15005550006", a.calls[0].path)
	require.Equal(t, "/2010-04-01/Accounts/"+account+"/IncomingPhoneNumbers/"+number+".json", a.calls[1].path)
	require.Equal(t, url.Values{"SmsUrl": {"https://convo.example/hooks/1"}, "SmsMethod": {"POST"}}, a.calls[1].form)
	require.Equal(t, url.Values{"SmsUrl": {""}, "SmsMethod": {"POST"}}, a.calls[3].form)

	none := newAPI(t, respond(http.StatusOK, `{"incoming_phone_numbers":[]}`))
	require.NoError(t, none.Connect(t.Context(), none.channel), "a number elsewhere")
	require.Len(t, none.calls, 1)
	none.channel.Config = json.RawMessage(`{"accountSid":"` + account + `","from":"SHOP"}`)
	require.NoError(t, none.Connect(t.Context(), none.channel), "a name is no number")
	require.Len(t, none.calls, 1)
}

func TestFilesAreFetchedWithoutCredentialsElsewhere(t *testing.T) {
	t.Parallel()
	var given []string
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given = append(given, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.WriteString(w, "bytes")
	}))
	t.Cleanup(store.Close)
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, store.URL+"/f?signed", http.StatusTemporaryRedirect)
	})
	file, err := a.Fetch(t.Context(), a.channel, media)
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, "bytes", string(content))
	require.Equal(t, "image/jpeg", file.ContentType)
	require.Equal(t, call{http.MethodGet, media, account, token, url.Values{}}, a.calls[0])
	require.Equal(t, []string{""}, given)

	for status, kind := range map[int]provider.Kind{404: provider.Permanent, 500: provider.Retryable} {
		a = newAPI(t, respond(status, ""))
		_, err = a.Fetch(t.Context(), a.channel, media)
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok)
		require.Equal(t, kind, failed.Kind)
	}
	_, err = a.Fetch(t.Context(), a.channel, "/2010-04-01/Accounts/../Keys.json")
	require.Error(t, err)
	require.Len(t, a.calls, 1, "only files are asked for")
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	p := &sms.Provider{}
	require.Empty(t, p.Validate(channel()))
	require.Len(t, p.Validate(provider.Channel{Config: json.RawMessage(`{"accountSid":"` + account + `"}`)}), 1)
	require.Equal(t, twilio.AuthToken, "authToken")
}

func TestNumbersOfRecipientsAreNormalized(t *testing.T) {
	t.Parallel()
	p := &sms.Provider{}
	for _, to := range []string{"+48123456789", "+48 123-456-789", "0048 (123) 456.789"} {
		identity, ok := p.Recipient(to)
		require.True(t, ok, to)
		require.Equal(t, provider.Identity{ExternalID: "+48123456789", Phone: "+48123456789"}, identity)
	}
	for _, to := range []string{"123456789", "+0123456", "anna@example.com", "", "+481234567890123456"} {
		_, ok := p.Recipient(to)
		require.False(t, ok, to)
	}
}

func TestSegmentsAreCounted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		count    int
		encoding sms.Encoding
	}{
		"":                                    {1, sms.GSM7},
		strings.Repeat("a", 160):              {1, sms.GSM7},
		strings.Repeat("a", 161):              {2, sms.GSM7},
		strings.Repeat("a", 306):              {2, sms.GSM7},
		strings.Repeat("a", 307):              {3, sms.GSM7},
		strings.Repeat("€", 80):               {1, sms.GSM7},
		strings.Repeat("€", 81):               {2, sms.GSM7},
		strings.Repeat("a", 152) + "€aaaaaaa": {2, sms.GSM7},
		strings.Repeat("ż", 70):               {1, sms.UCS2},
		strings.Repeat("ż", 71):               {2, sms.UCS2},
		strings.Repeat("🙂", 35):               {1, sms.UCS2},
		strings.Repeat("🙂", 66):               {2, sms.UCS2}, // 33 in each: a pair is not divided
		strings.Repeat("🙂", 67):               {3, sms.UCS2},
	} {
		count, encoding := sms.Segments(text)
		require.Equal(t, want.count, count, text)
		require.Equal(t, want.encoding, encoding, text)
	}
}
