package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/platform/page"
)

const (
	simulatorPath = "/app/simulator"
	// simulatedShown is how many messages are shown of each channel type.
	simulatedShown = 20
)

// simulatorForm is what a visitor writes, and to whom.
type simulatorForm struct {
	Channel, From, Name, Text string
	Channels                  []db.Channel
}

// simulatedProvider is what a provider has received, newest first.
type simulatedProvider struct {
	Type     api.ChannelType
	Messages []simulator.Message
}

func (c *console) showSimulator(w http.ResponseWriter, r *http.Request, v visitor) error {
	query := r.URL.Query()
	return c.renderSimulator(w, r, v, http.StatusOK, simulatorForm{Channel: query.Get("channel"), From: query.Get("from"), Name: query.Get("name")}, "")
}

func (c *console) renderSimulator(w http.ResponseWriter, r *http.Request, v visitor, status int, form simulatorForm, fault string) (err error) {
	if form.Channels, err = c.simulated(r, v); err != nil {
		return err
	}
	var providers []simulatedProvider
	for _, kind := range c.Simulators.Types {
		control, _ := c.Simulators.Control(kind)
		received := control.Accepted()
		received = received[max(0, len(received)-simulatedShown):]
		slices.Reverse(received)
		providers = append(providers, simulatedProvider{Type: kind, Messages: received})
	}
	return c.render(w, r, status, "simulator", view{Title: "Simulator", Visitor: v, Fault: fault, Page: struct {
		Form      simulatorForm
		Providers []simulatedProvider
	}{form, providers}})
}

// simulated returns the channels of the workspace that are connected to a simulator.
func (c *console) simulated(r *http.Request, v visitor) ([]db.Channel, error) {
	limit := int32(channel.MaxChannels)
	found, err := c.Channels.List(r.Context(), v.Workspace.ID, page.Request{Limit: &limit})
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(found.Rows, func(row db.Channel) bool {
		return row.APIBaseURL == nil || *row.APIBaseURL != c.Simulators.BaseURL(row.Type)
	})
	slices.Reverse(rows)
	return rows, nil
}

// writeAsVisitor lets the provider of a channel call its hook with a message.
func (c *console) writeAsVisitor(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	form := simulatorForm{
		Channel: r.PostForm.Get("channel"), From: strings.TrimSpace(r.PostForm.Get("from")), Name: strings.TrimSpace(r.PostForm.Get("name")),
		Text: strings.TrimSpace(r.PostForm.Get("text")),
	}
	refuse := func(fault string) error {
		return c.renderSimulator(w, r, v, http.StatusUnprocessableEntity, form, fault)
	}
	if form.Text == "" {
		return refuse("Enter a message.")
	}
	rows, err := c.simulated(r, v)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(row db.Channel) bool { return row.ID.String() == form.Channel })
	if i < 0 {
		return problem.NotFound()
	}
	reported, err := c.report(r, rows[i].ID, rows[i].Type, form)
	switch {
	case errors.Is(err, simulator.ErrContact):
		return refuse("The provider has no contact with this ID.")
	case err != nil:
		return refuse("The channel’s hook did not respond: " + err.Error())
	case reported.Status != http.StatusOK:
		return refuse("The channel’s hook responded with status " + strconv.Itoa(reported.Status) + ".")
	}
	kept := url.Values{"channel": {form.Channel}, "from": {form.From}, "name": {form.Name}}
	return c.back(w, r, simulatorPath+"?"+kept.Encode(), "The message was delivered to the channel.")
}

func (c *console) report(r *http.Request, channelID uuid.UUID, kind api.ChannelType, form simulatorForm) (simulator.Reported, error) {
	control, ok := c.Simulators.Control(kind)
	if !ok {
		return simulator.Reported{}, problem.NotFound()
	}
	return control.Report(r.Context(), c.Channels.Opener.HookURL(channelID), simulator.Event{From: form.From, Name: form.Name, Text: form.Text})
}
