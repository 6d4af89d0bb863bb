package apitest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Received is an event as a webhook endpoint received it.
type Received struct {
	ID          uuid.UUID       `json:"id"`
	Type        string          `json:"type"`
	Sequence    int64           `json:"sequence"`
	WorkspaceID uuid.UUID       `json:"workspaceId"`
	Data        json.RawMessage `json:"data"`
	Header      http.Header     `json:"-"`
	Body        []byte          `json:"-"`
}

// Receiver is a webhook endpoint. It validates every body against the webhooks section of
// the document.
type Receiver struct {
	URL string

	mu       sync.Mutex
	received []Received
	invalid  []error
	arrived  chan struct{} // closed and replaced at each request
}

// NewReceiver starts an endpoint. It responds as respond does, whose n counts requests
// from 0, or 200 where that is nil.
func NewReceiver(t testing.TB, respond func(n int, w http.ResponseWriter, r *http.Request)) *Receiver {
	t.Helper()
	receiver := &Receiver{arrived: make(chan struct{})}
	schemas := webhookSchemas()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender was killed
		}
		n := receiver.add(schemas, r.Header, body)
		if respond != nil {
			respond(n, w, r)
		}
	}))
	receiver.URL = server.URL + "/hook"
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		receiver.mu.Lock()
		defer receiver.mu.Unlock()
		require.Empty(t, receiver.invalid)
	})
	return receiver
}

func (r *Receiver) add(schemas map[string]*openapi3.Schema, header http.Header, body []byte) int {
	one := Received{Header: header, Body: body}
	err := json.Unmarshal(body, &one)
	var parsed any
	if err == nil {
		err = json.Unmarshal(body, &parsed)
	}
	if err == nil {
		err = schemas[one.Type].VisitJSON(parsed, openapi3.EnableJSONSchema2020())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.invalid = append(r.invalid, err)
	}
	r.received = append(r.received, one)
	close(r.arrived)
	r.arrived = make(chan struct{})
	return len(r.received) - 1
}

// webhookSchemas are the bodies of the document's webhooks, by event.
var webhookSchemas = sync.OnceValue(func() map[string]*openapi3.Schema {
	schemas := map[string]*openapi3.Schema{}
	for name, item := range shared().document.Webhooks {
		schemas[name] = item.Post.RequestBody.Value.Content.Get("application/json").Schema.Value
	}
	return schemas
})

// All returns the received events in order of arrival.
func (r *Receiver) All() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Received(nil), r.received...)
}

// Wait waits until the received events are enough, and returns them.
func (r *Receiver) Wait(t testing.TB, enough func([]Received) bool) []Received {
	t.Helper()
	patience := time.After(4 * time.Minute) // a machine under load takes long
	for {
		r.mu.Lock()
		arrived, all := r.arrived, append([]Received(nil), r.received...)
		r.mu.Unlock()
		if enough(all) {
			return all
		}
		select {
		case <-arrived:
		case <-patience:
			require.Fail(t, "not enough was received", "%d events", len(all))
		}
	}
}

// WaitFor waits for n requests and returns them.
func (r *Receiver) WaitFor(t testing.TB, n int) []Received {
	t.Helper()
	return r.Wait(t, func(all []Received) bool { return len(all) >= n })
}

// VerifySignatures verifies both signature headers as a receiver would. All the secrets
// must have signed, and no others.
func (r Received) VerifySignatures(t testing.TB, secrets ...string) {
	t.Helper()
	require.Equal(t, r.ID.String(), r.Header.Get("webhook-id"))
	unix := r.Header.Get("webhook-timestamp")
	own, standard := []string{"t=" + unix}, []string{}
	for _, secret := range secrets {
		own = append(own, "v1="+hex.EncodeToString(mac(secret, unix+"."+string(r.Body))))
		standard = append(standard, "v1,"+base64.StdEncoding.EncodeToString(mac(secret, r.ID.String()+"."+unix+"."+string(r.Body))))
	}
	require.Equal(t, strings.Join(own, ","), r.Header.Get("X-Convo-Signature"))
	require.Equal(t, strings.Join(standard, " "), r.Header.Get("webhook-signature"))
}

func mac(key, text string) []byte {
	hash := hmac.New(sha256.New, []byte(key))
	hash.Write([]byte(text))
	return hash.Sum(nil)
}
