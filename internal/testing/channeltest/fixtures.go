package channeltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/testing/seed"
)

// incoming is a request to a hook, and what it contains. Body is JSON, or a text that is
// the body itself.
type incoming struct {
	Name string          `json:"name"`
	Body json.RawMessage `json:"body"`
	Want any             `json:"want"`
}

// outgoing is a message to send after some faults, and the requests that send it.
type outgoing struct {
	Name    string            `json:"name"`
	Message message           `json:"message"`
	Faults  []simulator.Fault `json:"faults,omitempty"`
	Want    any               `json:"want"`
}

type message struct {
	To        string `json:"to"`
	Text      string `json:"text,omitempty"`
	ReplyTo   string `json:"replyTo,omitempty"`
	Thread    string `json:"thread,omitempty"`
	Author    string `json:"author,omitempty"`
	Automatic bool   `json:"automatic,omitempty"`
	FileType  string `json:"fileType,omitempty"`

	Template *provider.TemplateMessage `json:"template,omitempty"`
}

// testFixtures tests what a provider makes of the requests and messages in testdata.
func testFixtures(t *testing.T, kind Type) {
	t.Helper()
	settings := kind.Simulator.Settings()
	c := provider.Channel{
		Type: kind.Provider.Type(), Name: "Shop", Config: settings.Config, Credentials: settings.Credentials, HookURL: "https://convo.example/hooks/1",
	}
	t.Run("incoming", func(t *testing.T) {
		testFixture(t, "testdata/incoming.json", func(one *incoming) {
			one.Want = received(kind, c, one.Body)
		})
	})
	recorded := &recorder{next: kind.Simulator}
	server := httptest.NewServer(recorded)
	t.Cleanup(server.Close)
	c.APIBaseURL = server.URL
	t.Run("outgoing", func(t *testing.T) {
		testFixture(t, "testdata/outgoing.json", func(one *outgoing) {
			kind.Simulator.Fail(one.Faults...)
			one.Want = recorded.send(t, kind, c, one.Message)
		})
	})
}

// testFixture lets run set what is wanted of each element of a file, and compares the file.
func testFixture[Element any](t *testing.T, path string, run func(one *Element)) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skip("the type has none")
	}
	require.NoError(t, err)
	var elements []*Element
	require.NoError(t, json.Unmarshal(raw, &elements))
	for _, one := range elements {
		run(one)
	}
	writeOrCompare(t, path, indented(t, elements))
}

// received describes what a provider reads in a request.
func received(kind Type, c provider.Channel, raw json.RawMessage) any {
	body := []byte(raw)
	var text string
	if json.Unmarshal(raw, &text) == nil {
		body = []byte(text)
	}
	request := kind.Simulator.Sign(c.HookURL, seed.Start, body)
	found, err := kind.Provider.Receive(c, provider.Request{
		Method: request.Method, Header: request.Header, Body: request.Body, ReceivedAt: seed.Start,
	})
	want := map[string]any{}
	var items []any
	for _, item := range found.Items {
		items = append(items, map[string]any{strings.ToLower(reflect.TypeOf(item).Name()): short(item)})
	}
	if items != nil {
		want["items"] = items
	}
	if found.Malformed != nil {
		want["malformed"] = len(found.Malformed)
	}
	if found.Reply != nil {
		want["reply"] = map[string]any{"status": found.Reply.Status, "body": string(found.Reply.Body)}
	}
	if err != nil {
		want["error"] = failure(err)
	}
	return want
}

func failure(err error) any {
	failed, ok := errors.AsType[*provider.SendError](err)
	switch {
	case ok:
		without := *failed
		without.Cause = nil
		return short(without)
	case errors.Is(err, provider.ErrUnauthenticated):
		return "unauthenticated"
	case errors.Is(err, provider.ErrMalformed):
		return "malformed"
	}
	return "another error"
}

// short is a value as JSON without what is empty.
func short(value any) any {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	var decoded any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return err.Error()
	}
	return withoutEmpty(decoded)
}

func withoutEmpty(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	for name, one := range object {
		one = withoutEmpty(one)
		object[name] = one
		nested, ok := one.(map[string]any)
		if one == nil || one == "" || one == false || one == 0.0 || one == time.Time.Format(time.Time{}, time.RFC3339) || ok && len(nested) == 0 {
			delete(object, name)
		}
	}
	return object
}

// recorder keeps the requests to a simulator.
type recorder struct {
	next http.Handler

	mu       sync.Mutex
	requests []any
}

// ServeHTTP implements http.Handler.
func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	entry := map[string]any{"method": r.Method, "path": r.URL.RequestURI()}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		entry["authorization"] = authorization
	}
	var decoded any
	switch kind := r.Header.Get("Content-Type"); {
	case len(body) == 0:
	case strings.HasPrefix(kind, "multipart/"):
		_, boundary, _ := strings.Cut(kind, "boundary=")
		entry["body"] = strings.ReplaceAll(string(body), boundary, "boundary")
	case json.Unmarshal(body, &decoded) == nil:
		entry["body"] = decoded
	default:
		entry["body"] = string(body)
	}
	rec.mu.Lock()
	rec.requests = append(rec.requests, entry)
	rec.mu.Unlock()
	rec.next.ServeHTTP(w, r)
}

// send sends a message and describes the requests and the outcome.
func (rec *recorder) send(t *testing.T, kind Type, c provider.Channel, m message) any {
	t.Helper()
	rec.mu.Lock()
	rec.requests = nil
	rec.mu.Unlock()
	out := provider.Outbound{
		Key: "0199c3a5-7c1e-7d61-9d0b-3f1f2f6f7a11-0", MessageID: uuid.MustParse("0199c3a5-7c1e-7d61-9d0b-3f1f2f6f7a11"),
		To: m.To, Text: m.Text, ReplyTo: m.ReplyTo, Thread: m.Thread, Author: m.Author, Automatic: m.Automatic, Template: m.Template,
	}
	if m.FileType != "" {
		const content = "bytes"
		out.Attachments = []provider.OutboundAttachment{{
			Type: provider.TypeOf(m.FileType), Name: "ż.bin", ContentType: m.FileType, SizeBytes: int64(len(content)),
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		}}
	}
	sent, err := kind.Provider.Send(t.Context(), c, out)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	want := map[string]any{"requests": rec.requests}
	if err != nil {
		want["error"] = failure(err)
	} else {
		want["sent"] = short(sent)
	}
	return want
}
