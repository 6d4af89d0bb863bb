package httpapi_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	stream := v.follow(t, "")
	s.Clock.Advance(time.Hour - time.Millisecond)
	v.say(t, "Hi")
	stream.Next(t, "conversation")
	stream.Next(t, "message")
	late := v.follow(t, "")
	late.Next(t, "conversation")
	late.Next(t, "message")
	events := late.Ended(t)
	require.Equal(t, "expired", events[len(events)-1].Name)
	s.Clock.Advance(time.Second)
	v.Get(t, v.Token, "/widget/messages").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)

	v = s.visit(t)
	rotated := apitest.New(t, apitest.Options{DatabaseURL: s.DatabaseURL, Key: bytes.Repeat([]byte{8}, 32), OldKeys: [][]byte{apitest.Key}})
	rotated.Clock.Advance(time.Hour)
	require.Empty(t, v.on(rotated).history(t), "an older key still verifies")
	foreign := apitest.New(t, apitest.Options{})
	foreign.Get(t, v.Token, "/widget/messages").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
	s.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/channels/" + s.channel.String(), Token: s.token}).Want(t, http.StatusNoContent)
	v.Get(t, v.Token, "/widget/messages").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
	s.begin(t, map[string]any{}).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.begin(t, map[string]any{"channelId": uuid.New()}).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// TestStreamsEndWithTheirChannel: those of a disabled or deleted channel end at every
// replica, and others go on.
func TestStreamsEndWithTheirChannel(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	other := apitest.New(t, apitest.Options{DatabaseURL: s.DatabaseURL})
	remaining := *s
	remaining.channel = s.newChannel(t, s.token, nil)
	bystander := remaining.visit(t)
	unaffected := bystander.on(other).follow(t, "")
	channel := "/channels/" + s.channel.String()
	for _, end := range []apitest.Request{
		{Method: http.MethodPatch, Path: channel, Token: s.token, Body: map[string]any{"status": "DISABLED"}},
		{Method: http.MethodDelete, Path: channel, Token: s.token},
	} {
		v := s.visit(t)
		streams := []*apitest.Stream{v.follow(t, ""), v.on(other).follow(t, "")}
		require.Less(t, s.Do(t, end).Status, http.StatusMultipleChoices)
		for _, stream := range streams {
			events := stream.Ended(t)
			require.Len(t, events, 1)
			require.Equal(t, "expired", events[0].Name)
		}
		v.Get(t, v.Token, "/widget/events").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
		s.begin(t, map[string]any{}).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
		if end.Method == http.MethodPatch {
			s.Do(t, apitest.Request{Method: http.MethodPatch, Path: channel, Token: s.token, Body: map[string]any{"status": "CONNECTED"}}).Want(t, http.StatusOK)
		}
	}
	bystander.say(t, "Still here")
	unaffected.Next(t, "conversation")
	unaffected.Next(t, "message")
}

// TestTokensDoNotMix: API tokens are of no use to the widget, and sessions to nothing else.
func TestTokensDoNotMix(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	for _, o := range s.Document.All() {
		if o.Public {
			continue
		}
		r := example(t, o)
		if r.Token = v.Token; o.Widget {
			r.Token = s.token
		}
		s.Do(t, r).Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"aud": "convo widget", "exp": s.Clock.Now().Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	for _, token := range []string{unsigned, v.Token + "x", v.VisitorID, "."} {
		s.Get(t, token, "/widget/messages").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
	}
}

func TestWidgetOperationsAreValidated(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	require.Len(t, s.Document.Widget, 8)
	for _, o := range s.Document.Widget {
		call := func(change func(r *apitest.Request)) apitest.Response {
			r := example(t, o)
			r.Token = v.Token
			change(&r)
			return s.Do(t, r)
		}
		call(func(r *apitest.Request) { r.Path += "?surprise=1" }).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		if strings.Contains(o.Path, "{id}") {
			call(func(r *apitest.Request) { r.Path = strings.ReplaceAll(o.Path, "{id}", "42") }).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		}
		if o.Body != nil {
			call(func(r *apitest.Request) { r.Header["Content-Type"] = "text/csv" }).Problem(t, http.StatusUnsupportedMediaType, api.ErrorCodeUnsupportedMediaType)
			call(func(r *apitest.Request) { r.Body = bytes.Repeat([]byte(" "), int(o.MaxBody)+1) }).Problem(t, http.StatusRequestEntityTooLarge, api.ErrorCodePayloadTooLarge)
		}
	}
	s.begin(t, map[string]any{"visitorId": "vis_1"}).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

func TestOriginsOfPages(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, map[string]any{"allowedOrigins": []string{"https://shop.example.com"}})
	v := s.visit(t) // no page: a test
	for origin, allowed := range map[string]bool{
		"https://shop.example.com": true, s.Origin: true, "https://evil.example.com": false, "null": false, "https://shop.example.com.evil.com": false, "http://shop.example.com": false,
	} {
		for _, r := range []apitest.Request{
			{Method: http.MethodPost, Path: "/widget/sessions", Body: map[string]any{"channelId": s.channel}},
			{Method: http.MethodGet, Path: "/widget/messages", Token: v.Token},
		} {
			r.Header = map[string]string{"Origin": origin}
			response := s.Do(t, r)
			require.Contains(t, response.Header.Values("Vary"), "Origin")
			if allowed {
				require.Less(t, response.Status, 300)
				require.Equal(t, origin, response.Header.Get("Access-Control-Allow-Origin"))
				continue
			}
			response.Problem(t, http.StatusForbidden, api.ErrorCodeOriginNotAllowed)
			require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	preflight := s.Do(t, apitest.Request{Method: http.MethodOptions, Path: "/widget/messages", Header: map[string]string{
		"Origin": "https://shop.example.com", "Access-Control-Request-Method": "POST",
	}}).Want(t, http.StatusNoContent)
	require.Equal(t, "https://shop.example.com", preflight.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, preflight.Header.Get("Access-Control-Allow-Headers"), "Last-Event-ID")
}

func TestIdentityOfVisitors(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		signed, err := jwt.NewWithClaims(method, claims).SignedString(key)
		require.NoError(t, err)
		return signed
	}
	in := func(d time.Duration) int64 { return s.Clock.Now().Add(d).Unix() }
	secret := []byte(identitySecret)
	person := sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "42", "exp": in(23 * time.Hour), "name": "Anna", "email": "anna@example.com"})
	for range 2 { // in two browsers
		v := visitor{s, apitest.Decode[api.WidgetSession](t, s.begin(t, map[string]any{"identity": person}).Want(t, http.StatusCreated))}
		v.say(t, "Hi")
	}
	contacts := apitest.Decode[[]api.ContactProfile](t, s.Get(t, s.token, "/contacts").Want(t, http.StatusOK))
	require.Len(t, contacts, 1)
	require.Equal(t, "Anna", *contacts[0].Name)
	require.Equal(t, "anna@example.com", *contacts[0].Email)
	for name, bad := range map[string]string{
		"expired":    sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "42", "exp": in(-2 * time.Minute)}),
		"no exp":     sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "42"}),
		"too late":   sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "42", "exp": in(25 * time.Hour)}),
		"NUL in sub": sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "4\x002", "exp": in(time.Hour)}),
		"no sub":     sign(jwt.SigningMethodHS256, secret, jwt.MapClaims{"exp": in(time.Hour)}),
		"other key":  sign(jwt.SigningMethodHS256, []byte("another secret of 32 characters!"), jwt.MapClaims{"sub": "42", "exp": in(time.Hour)}),
		"other hash": sign(jwt.SigningMethodHS512, secret, jwt.MapClaims{"sub": "42", "exp": in(time.Hour)}),
		"unsigned":   sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "42", "exp": in(time.Hour)}),
		"no JWT":     "42",
	} {
		require.Equal(t, http.StatusUnprocessableEntity, s.begin(t, map[string]any{"identity": bad}).Status, name)
	}
}

func TestVisitorsAreLimited(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{RateLimits: true}, nil)
	first := s.visit(t)
	for range 20 {
		first.say(t, "Hi")
	}
	response := first.send(t, uuid.NewString(), "Hi")
	response.Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	require.Equal(t, "60", response.Header.Get("Retry-After"))
	for range 5 {
		s.visit(t).say(t, "Hi") // 6 conversations with the first
	}
	seventh := s.visit(t)
	response = seventh.send(t, uuid.NewString(), "Hi")
	response.Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	require.Equal(t, strconv.Itoa(12*60*60), response.Header.Get("Retry-After"))
	require.Empty(t, seventh.history(t))
	s.Clock.Advance(12 * time.Hour)
	s.visit(t).say(t, "Hi")
	for s.begin(t, map[string]any{}).Status == http.StatusCreated {
		continue
	}
	s.begin(t, map[string]any{}).Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
}
