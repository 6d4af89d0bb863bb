package simulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	api "github.com/avelto/convo/gen/api/model"
)

// ControlPath is where a Control is served; everything else is the API of the provider.
const ControlPath = "/_simulator"

const hookTimeout = 10 * time.Second

// constructors returns a simulator of each channel type.
var constructors = map[api.ChannelType]func(context.Context) (Simulator, error){
	api.ChannelTypeTELEGRAM:  always(NewTelegram),
	api.ChannelTypeWHATSAPP:  always(NewWhatsApp),
	api.ChannelTypeMESSENGER: always(NewMessenger),
	api.ChannelTypeVIBER:     always(NewViber),
	api.ChannelTypeEMAIL:     func(ctx context.Context) (Simulator, error) { return NewEmail(ctx) },
	api.ChannelTypeSLACK:     always(NewSlack),
	api.ChannelTypeDISCORD:   always(NewDiscord),
	api.ChannelTypeSMS:       always(NewSMS),
	api.ChannelTypeVOICE:     always(NewVoice),
}

func always[S Simulator](construct func() S) func(context.Context) (Simulator, error) {
	return func(context.Context) (Simulator, error) { return construct(), nil }
}

// ErrNone means that a channel type has no simulator.
var ErrNone = errors.New("simulator: the channel type has none")

// New returns the simulator of a channel type. If it is an io.Closer, it must be closed. It fails
// with ErrNone.
func New(ctx context.Context, kind api.ChannelType) (Simulator, error) {
	construct, ok := constructors[kind]
	if !ok {
		return nil, ErrNone
	}
	return construct(ctx)
}

// Types returns the channel types that have a simulator.
func Types() (types []string) {
	for kind := range constructors {
		types = append(types, strings.ToLower(string(kind)))
	}
	slices.Sort(types)
	return types
}

// Control serves a simulator together with a small interface for the one who tries it: what
// was accepted, and what a contact or the provider does.
type Control struct {
	Simulator

	// URL is where it is served, without a slash at the end.
	URL string
	// Hook is the URL of the channel's hook, for providers with which it is not registered.
	Hook   string
	Client *http.Client

	mu   sync.Mutex
	last int64
}

// NewControl returns a simulator that is served at a URL. It uses no ID again that an earlier
// one has used. client calls the hook of the channel.
func NewControl(of Simulator, url string, client *http.Client) *Control {
	if served, ok := of.(interface{ ServedAt(url string) }); ok {
		served.ServedAt(url)
	}
	if numbered, ok := of.(interface{ NumberFrom(n int) }); ok {
		numbered.NumberFrom(int(time.Now().UnixMicro()))
	}
	return &Control{Simulator: of, URL: url, Client: client}
}

// SetHook replaces Hook while the simulator is served.
func (c *Control) SetHook(hook string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Hook = hook
}

// ServeHTTP implements http.Handler.
func (c *Control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch rest, ok := strings.CutPrefix(r.URL.Path, ControlPath); {
	case !ok:
		c.Simulator.ServeHTTP(w, r)
	case r.Method == http.MethodGet && rest == "":
		Write(w, Response{Status: http.StatusOK, Body: c.state()})
	case r.Method == http.MethodPost && rest == "/events":
		c.report(w, r)
	case r.Method == http.MethodPost && rest == "/faults":
		var faults []Fault
		if err := decode(r, &faults); err != nil {
			Write(w, complaint(http.StatusBadRequest, "Send a JSON array of faults, such as [\"limited\"]."))
			return
		}
		c.Fail(faults...)
		w.WriteHeader(http.StatusNoContent)
	default:
		Write(w, complaint(http.StatusNotFound, "Use GET "+ControlPath+", POST "+ControlPath+"/events or POST "+ControlPath+"/faults."))
	}
}

// state is the body of POST /channels without the agent, and the accepted messages.
func (c *Control) state() map[string]any {
	settings := c.Settings()
	accepted := []any{}
	for _, m := range c.Accepted() {
		files := []string{}
		for _, f := range m.Files {
			files = append(files, f.Name)
		}
		accepted = append(accepted, map[string]any{"id": m.ID, "to": m.To, "text": m.Text, "replyTo": m.ReplyTo, "thread": m.Thread, "template": m.Template, "files": files, "at": m.At.UTC()})
	}
	return map[string]any{
		"channel":  map[string]any{"type": c.Type(), "name": "Simulated", "apiBaseUrl": c.URL, "config": settings.Config, "credentials": settings.Credentials},
		"hook":     c.hook(),
		"messages": accepted,
	}
}

// hook is the URL that was registered, else the one that was given.
func (c *Control) hook() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if registered, ok := c.Simulator.(interface{ RegisteredHook() string }); ok {
		return cmp.Or(registered.RegisteredHook(), c.Hook)
	}
	return c.Hook
}

// event is an event as it is posted.
type event struct {
	Kind    Kind   `json:"kind"`
	ID      string `json:"id"`
	From    string `json:"from"`
	Name    string `json:"name"`
	Text    string `json:"text"`
	ReplyTo string `json:"replyTo"`
	Hook    string `json:"hook"`
}

// report lets the provider report an event to the hook, and responds with what the hook did.
func (c *Control) report(w http.ResponseWriter, r *http.Request) {
	var in event
	if err := decode(r, &in); err != nil {
		Write(w, complaint(http.StatusBadRequest, "Send a JSON object such as {\"from\": \"48100000001\", \"text\": \"Hello\"}."))
		return
	}
	reported, err := c.Report(r.Context(), in.Hook, Event{Kind: in.Kind, ID: in.ID, From: in.From, Name: in.Name, Text: in.Text, ReplyTo: in.ReplyTo})
	switch {
	case errors.Is(err, ErrNoHook):
		Write(w, complaint(http.StatusConflict, "No hook is known. Create the channel, or start the simulator with --hook."))
	case errors.Is(err, ErrUnsupported):
		Write(w, complaint(http.StatusUnprocessableEntity, "The provider does not report events of the kind "+string(cmp.Or(in.Kind, Wrote))+"."))
	case errors.Is(err, ErrContact):
		Write(w, complaint(http.StatusUnprocessableEntity, "The provider has no contacts with the ID "+in.From+"."))
	case err != nil:
		Write(w, complaint(http.StatusBadGateway, "The hook did not respond: "+err.Error()))
	default:
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"id": reported.ID, "hookStatus": reported.Status, "hookResponse": reported.Body}})
	}
}

// Reported is how a hook responded to an event.
type Reported struct {
	ID     string // of the event
	Status int
	Body   string
}

// Report reports an event over a connection that the channel has opened, else to a hook, "" for
// that of the channel, and returns how the hook responded. What the event does not say is filled in. It fails with ErrNoHook, ErrUnsupported
// or ErrContact, or if the hook does not respond.
func (c *Control) Report(ctx context.Context, hook string, e Event) (Reported, error) {
	e.Kind, e.From, e.Name, e.ID = cmp.Or(e.Kind, Wrote), cmp.Or(e.From, Contact(c.Type())), cmp.Or(e.Name, "Anna Nowak"), cmp.Or(e.ID, c.nextID())
	hook, e.At = cmp.Or(hook, c.hook()), time.Now()
	if live, ok := c.Simulator.(interface{ Dispatch(e Event) error }); ok {
		if err := live.Dispatch(e); !errors.Is(err, ErrNoHook) {
			return Reported{ID: e.ID, Status: http.StatusOK}, err //nolint:wrapcheck // the simulators have the errors of this package
		}
	}
	if talks, ok := c.Simulator.(interface {
		Converse(ctx context.Context, hook string, e Event) (bool, error)
	}); ok {
		if live, err := talks.Converse(ctx, hook, e); live || err != nil {
			return Reported{ID: e.ID, Status: http.StatusOK}, err //nolint:wrapcheck // the simulators have the errors of this package
		}
	}
	if hook == "" {
		return Reported{}, ErrNoHook
	}
	request, err := c.Simulator.Hook(hook, e.At, e)
	if err != nil {
		return Reported{}, err //nolint:wrapcheck // the simulators have the errors of this package
	}
	reported := Reported{ID: e.ID}
	if reported.Status, reported.Body, err = c.send(ctx, request); err != nil {
		return reported, err
	}
	if noting, ok := c.Simulator.(interface {
		Note(id string, reported Kind)
	}); ok && reported.Status == http.StatusOK && e.Kind != Wrote {
		noting.Note(e.ID, e.Kind)
	}
	return reported, nil
}

// Contact is who writes through a channel of a type if no one is named.
func Contact(kind api.ChannelType) string {
	const number = "48100000001"
	switch kind { //nolint:exhaustive // the others know numbers
	case api.ChannelTypeSMS, api.ChannelTypeVOICE:
		return "+" + number
	case api.ChannelTypeEMAIL:
		return "anna@example.com"
	}
	return number
}

// nextID returns a number that is greater than all before, also those before a restart.
func (c *Control) nextID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last+1, time.Now().UnixMilli())
	return strconv.FormatInt(c.last, 10)
}

func (c *Control) send(ctx context.Context, in Request) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, in.Method, in.URL, bytes.NewReader(in.Body))
	if err != nil {
		return 0, "", err //nolint:wrapcheck // it says what is wrong with the URL
	}
	request.Header = in.Header
	response, err := c.Client.Do(request)
	if err != nil {
		return 0, "", err //nolint:wrapcheck // it names the URL
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxUpload))
	return response.StatusCode, string(text), err //nolint:wrapcheck // the connection broke
}

func complaint(status int, detail string) Response {
	return Response{Status: status, Body: map[string]any{"detail": detail}}
}

// Example is what to post to the API to create a channel that uses the simulator.
func (c *Control) Example() string {
	example, err := json.MarshalIndent(c.state()["channel"], "", "  ")
	if err != nil {
		return ""
	}
	return string(example)
}
