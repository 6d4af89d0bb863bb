package simulator

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
)

// setPath is where a Set serves its simulators, each below its type. It also tells their URLs
// from those of providers and of single simulators.
const setPath = "/simulated/"

// deliveryDelay is how long after a message its delivery is reported: the channel knows the ID
// of the message by then.
const deliveryDelay = time.Second

// Set serves a simulator of each provider that has one. The simulators report on their own that
// messages were delivered, where the providers do.
type Set struct {
	// Types are the channel types with a simulator, in their order.
	Types []api.ChannelType

	url      string
	controls map[api.ChannelType]*Control
}

// NewSet returns simulators that are served at a URL without a slash at the end, until Close is
// called. client calls the hooks of channels.
func NewSet(ctx context.Context, served string, client *http.Client) (*Set, error) {
	s := &Set{Types: slices.Sorted(maps.Keys(constructors)), url: served, controls: map[api.ChannelType]*Control{}}
	for kind, construct := range constructors {
		simulator, err := construct(ctx)
		if err != nil {
			s.Close()
			return nil, err
		}
		control := NewControl(simulator, s.BaseURL(kind), client)
		if accepting, ok := control.Simulator.(interface{ OnAccepted(then func(Message)) }); ok {
			accepting.OnAccepted(func(m Message) { time.AfterFunc(deliveryDelay, func() { control.delivered(m) }) })
		}
		s.controls[kind] = control
	}
	return s, nil
}

// Close ends what the simulators listen on by themselves.
func (s *Set) Close() {
	for _, control := range s.controls {
		if closer, ok := control.Simulator.(io.Closer); ok {
			_ = closer.Close() // it only listened
		}
	}
}

// BaseURL is where the API of a provider is simulated.
func (s *Set) BaseURL(kind api.ChannelType) string {
	return s.url + setPath + strings.ToLower(string(kind))
}

// Control returns the simulator of a channel type, false if there is none.
func (s *Set) Control(kind api.ChannelType) (*Control, bool) {
	control, ok := s.controls[kind]
	return control, ok
}

// ServeHTTP implements http.Handler.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, setPath), "/")
	control, ok := s.controls[api.ChannelType(strings.ToUpper(name))]
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.StripPrefix(setPath+name, control).ServeHTTP(w, r)
}

// IsSimulated reports whether a base URL is that of a simulator of a channel type in a Set: of
// one that runs, or of one that ran before at another port.
func IsSimulated(kind api.ChannelType, baseURL string) bool {
	parsed, err := url.Parse(baseURL)
	return err == nil && parsed.Scheme == "http" && parsed.Hostname() == "127.0.0.1" && parsed.Path == setPath+strings.ToLower(string(kind))
}

// delivered reports that a message was delivered. A report that fails is lost, as those of
// providers can be.
func (c *Control) delivered(m Message) {
	_, _ = c.Report(context.Background(), "", Event{Kind: Delivered, ID: m.ID, From: m.To})
}
