package discord

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

const (
	signatureHeader = "X-Signature-Ed25519"
	timestampHeader = "X-Signature-Timestamp"
	// maxAge is how far the time of a request may be from ours, either way.
	maxAge = 5 * time.Minute
)

// Types of interactions, and of responses to them.
const (
	ping         = 1
	command      = 2
	autocomplete = 4

	pong          = `{"type":1}`
	received      = `{"type":4,"data":{"content":"Your message was received.","flags":64}}` // 64: only the person sees it
	noSuggestions = `{"type":8,"data":{"choices":[]}}`
	nothing       = `{"type":6}`
)

// interaction is a request to the hook.
type interaction struct {
	ID     string `json:"id"`
	Type   int    `json:"type"`
	Room   string `json:"channel_id"`
	Guild  string `json:"guild_id"`
	User   *user  `json:"user"` // in direct messages
	Member *struct {
		User user `json:"user"`
	} `json:"member"` // in servers
	Data struct {
		Name    string   `json:"name"`
		Options []option `json:"options"`
	} `json:"data"`
}

type option struct {
	Value   any      `json:"value"`
	Options []option `json:"options"` // of a subcommand
}

// Receive implements provider.Provider: commands are messages. Discord tests the hook with
// wrong signatures, which must get status 401.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	settings, err := configOf(c)
	if err != nil || !authentic(settings.publicKey(), r) {
		return provider.Received{}, provider.ErrUnauthenticated
	}
	var in interaction
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return provider.Received{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	switch in.Type {
	case ping:
		return provider.Received{Reply: reply(pong)}, nil
	case autocomplete:
		return provider.Received{Reply: reply(noSuggestions)}, nil
	case command:
		item, ok := in.message(r.ReceivedAt)
		if !ok {
			return provider.Received{}, fmt.Errorf("%w: no user or channel", provider.ErrMalformed)
		}
		return provider.Received{Items: []provider.Item{item}, Reply: reply(received)}, nil
	}
	return provider.Received{Reply: reply(nothing)}, nil
}

func reply(body string) *provider.Reply {
	return &provider.Reply{Status: http.StatusOK, ContentType: "application/json", Body: []byte(body)}
}

// authentic verifies the signature over the time and the raw body.
func authentic(key ed25519.PublicKey, r provider.Request) bool {
	at := r.Header.Get(timestampHeader)
	sent, err := strconv.ParseInt(at, 10, 64)
	signature, malformed := hex.DecodeString(r.Header.Get(signatureHeader))
	if key == nil || err != nil || malformed != nil || len(signature) != ed25519.SignatureSize {
		return false
	}
	if age := r.ReceivedAt.Sub(time.Unix(sent, 0)); age > maxAge || age < -maxAge {
		return false
	}
	return ed25519.Verify(key, append([]byte(at), r.Body...), signature)
}

// message is a command as a message: what was entered, else the command itself.
func (in interaction) message(at time.Time) (item provider.Message, ok bool) {
	from := in.User
	if in.Member != nil {
		from = &in.Member.User
	}
	if from == nil || from.ID == "" || in.ID == "" || in.Room == "" {
		return item, false
	}
	text := strings.Join(entered(in.Data.Options), " ")
	if text == "" {
		text = "/" + in.Data.Name
	}
	return provider.Message{
		ExternalID: "interaction:" + in.ID, From: from.identity(in.Room, in.Guild), Thread: thread(in.Room, in.Guild, from.ID), Text: text, SentAt: at.UTC(),
	}, true
}

// entered returns the values of options, also of subcommands.
func entered(options []option) (values []string) {
	for _, one := range options {
		if one.Value != nil {
			values = append(values, fmt.Sprint(one.Value))
		}
		values = append(values, entered(one.Options)...)
	}
	return values
}
