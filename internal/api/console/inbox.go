package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	inboxPath  = "/app/inbox"
	inboxShown = 50
	// choices is how many operators and tags can be selected, and found how many contacts a
	// search finds.
	choices = 200
	found   = 50
)

// names holds what conversations refer to by ID.
type names struct {
	Channels  []db.Channel
	Operators []db.Operator
	Tags      []db.Tag
}

func (n names) channel(channelID uuid.UUID) string {
	for _, one := range n.Channels {
		if one.ID == channelID {
			return one.Name
		}
	}
	return "a deleted channel"
}

func (n names) operator(operatorID *uuid.UUID) string {
	for _, one := range n.Operators {
		if operatorID != nil && one.ID == *operatorID {
			return one.Name
		}
	}
	return ""
}

func (c *console) names(ctx context.Context, workspaceID uuid.UUID) (n names, err error) {
	most, limit := int32(channel.MaxChannels), int32(choices)
	channels, err := c.Channels.List(ctx, workspaceID, page.Request{Limit: &most})
	if err != nil {
		return n, err
	}
	operators, err := c.Conversations.Operators(ctx, workspaceID, page.Request{Limit: &limit})
	if err != nil {
		return n, err
	}
	tags, err := c.Conversations.Tags(ctx, workspaceID, page.Request{Limit: &limit})
	return names{channels.Rows, operators.Rows, tags.Rows}, err
}

// inboxForm holds the selected filters, as they are in the query.
type inboxForm struct {
	View, Status, Channel, Tag, Operator, Search string
}

// inboxView is a saved view.
type inboxView struct{ Key, Title string }

var inboxViews = []inboxView{
	{"waiting", "With operators"}, {"mine", "Mine"}, {"unassigned", "Unassigned"}, {"all", "All"},
}

// inboxRow is a conversation of the list.
type inboxRow struct {
	ID                                  uuid.UUID
	Contact, Channel, Operator, Preview string
	Status                              api.ConversationStatus
	At                                  *time.Time
	Waiting                             bool // the contact has written last
	Revision                            int64
}

func (c *console) showInbox(w http.ResponseWriter, r *http.Request, v visitor) error {
	query := r.URL.Query()
	form := inboxForm{
		View: query.Get("view"), Status: query.Get("status"), Channel: query.Get("channel"), Tag: query.Get("tag"),
		Operator: query.Get("operator"), Search: strings.TrimSpace(query.Get("q")),
	}
	filter, err := c.inboxFilter(r.Context(), v, &form)
	if err != nil {
		return err
	}
	request := page.Request{Limit: new(int32(inboxShown))}
	if cursor := query.Get("cursor"); cursor != "" {
		request.Cursor = &cursor
	}
	list := page.Page[db.ConversationListRow]{}
	if filter != nil {
		if list, err = c.Conversations.List(r.Context(), v.Workspace.ID, *filter, request); err != nil {
			return err
		}
	}
	known, err := c.names(r.Context(), v.Workspace.ID)
	if err != nil {
		return err
	}
	rows, err := c.inboxRows(r.Context(), v, known, list.Rows)
	if err != nil {
		return err
	}
	var next string
	if list.Next != nil {
		query.Set("cursor", *list.Next)
		next = query.Encode()
	}
	return c.render(w, r, http.StatusOK, "inbox", view{Title: "Inbox", Visitor: v, Page: struct {
		Form     inboxForm
		Views    []inboxView
		Names    names
		Rows     []inboxRow
		Next     string
		Filtered bool
	}{form, inboxViews, known, rows, next, len(query) > 0}})
}

// inboxFilter reads the filters. It returns nil if nothing can match.
func (c *console) inboxFilter(ctx context.Context, v visitor, form *inboxForm) (*conversation.Filter, error) {
	filter := &conversation.Filter{}
	handedOff := api.ConversationStatusHANDEDOFF
	if form.View == "" {
		form.View = "waiting"
		if *form != (inboxForm{View: "waiting"}) {
			form.View = "all"
		}
	}
	switch form.View {
	case "waiting":
		filter.Status = &handedOff
	case "unassigned":
		filter.Status, filter.Unassigned = &handedOff, true
	case "mine":
		me, err := c.Conversations.OperatorOf(ctx, c.DB, v.Workspace.ID, v.User.ID)
		if postgres.IsNotFound(err) {
			return nil, nil //nolint:nilnil // nothing is assigned to someone who is no operator
		} else if err != nil {
			return nil, err
		}
		filter.Status, filter.OperatorID = &handedOff, &me.ID
	case "all":
	default:
		return nil, problem.Malformed("Unknown view.")
	}
	return filter, c.refine(ctx, v, form, filter)
}

// refine adds the filters of the form to those of the view.
func (c *console) refine(ctx context.Context, v visitor, form *inboxForm, filter *conversation.Filter) error {
	if status := api.ConversationStatus(form.Status); form.Status != "" {
		if !status.Valid() {
			return problem.Malformed("Unknown status.")
		}
		filter.Status = &status
	}
	for _, one := range []struct {
		text string
		to   func(uuid.UUID)
	}{
		{form.Channel, func(id uuid.UUID) { filter.ChannelID = &id }},
		{form.Tag, func(id uuid.UUID) { filter.TagIDs = []uuid.UUID{id} }},
		{form.Operator, func(id uuid.UUID) { filter.OperatorID = &id }},
	} {
		if one.text == "" {
			continue
		}
		parsed, err := uuid.Parse(one.text)
		if err != nil {
			return problem.Malformed("Unknown filter.")
		}
		one.to(parsed)
	}
	if form.Search == "" {
		return nil
	}
	sought := contact.Filter{NamePrefix: &form.Search}
	if strings.Contains(form.Search, "@") {
		sought = contact.Filter{Email: &form.Search}
	}
	contacts, err := c.Contacts.List(ctx, v.Workspace.ID, sought, page.Request{Limit: new(int32(found))})
	filter.ContactIDs = []uuid.UUID{}
	for _, one := range contacts.Rows {
		filter.ContactIDs = append(filter.ContactIDs, one.ID)
	}
	return err
}

func (c *console) inboxRows(ctx context.Context, v visitor, known names, list []db.ConversationListRow) ([]inboxRow, error) {
	ids := make([]uuid.UUID, len(list))
	for i, row := range list {
		ids[i] = row.Conversation.ID
	}
	latest, err := c.Conversations.Latest(ctx, v.Workspace.ID, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]inboxRow, len(list))
	for i, row := range list {
		of := row.Conversation
		rows[i] = inboxRow{
			ID: of.ID, Contact: contactName(row.Contact), Channel: known.channel(of.ChannelID), Operator: known.operator(of.AssignedOperatorID),
			Preview: latest[of.ID].Content, Status: of.Status, At: &of.CreatedAt, Revision: of.Revision,
			Waiting: latest[of.ID].AuthorType == api.MessageAuthorTypeCONTACT && of.Status == api.ConversationStatusHANDEDOFF,
		}
		if of.LastMessageAt != nil {
			rows[i].At = of.LastMessageAt
		}
	}
	return rows, nil
}

// contactName returns how a contact is shown.
func contactName(row db.Contact) string {
	for _, name := range []*string{row.Name, row.Email, row.Phone} {
		if name != nil && *name != "" {
			return *name
		}
	}
	return "Visitor " + short(row.ID)
}

// statusName returns the name of a status for people.
func statusName(status api.ConversationStatus) string {
	return map[api.ConversationStatus]string{
		api.ConversationStatusOPEN: "With the agent", api.ConversationStatusHANDEDOFF: "With operators", api.ConversationStatusCLOSED: "Closed",
	}[status]
}

// conversationPath is the page of a conversation.
func conversationPath(id uuid.UUID, more ...string) string {
	return inboxPath + "/" + url.PathEscape(id.String()) + strings.Join(more, "")
}
