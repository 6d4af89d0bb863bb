package conversation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

// list follows a list to its end, calling between after each page.
func (f *fixture) list(t *testing.T, filter conversation.Filter, size int32, between func()) (ids []uuid.UUID) {
	t.Helper()
	request := page.Request{Limit: &size}
	for {
		got, err := f.conversations.List(t.Context(), f.Ours, filter, request)
		require.NoError(t, err)
		for _, row := range got.Rows {
			require.Equal(t, row.Conversation.ContactID, row.Contact.ID)
			ids = append(ids, row.Conversation.ID)
		}
		if got.Next == nil {
			return ids
		}
		require.Len(t, got.Rows, int(size), "only the last page is shorter")
		request.Cursor = got.Next
		between()
	}
}

// population is a set of random conversations, as they were inserted.
type population struct {
	ids              []uuid.UUID
	rows             map[uuid.UUID]seed.Conversation
	agents, channels []uuid.UUID
	tags             []uuid.UUID
	statuses         []api.ConversationStatus
}

func (f *fixture) populate(t *testing.T, n int) *population {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	p := &population{rows: map[uuid.UUID]seed.Conversation{}, statuses: []api.ConversationStatus{open, handedOff, closed}}
	for i := range 2 {
		p.agents = append(p.agents, f.Agent(t, f.Ours, "Agent"))
		p.channels = append(p.channels, f.Channel(t, f.Ours, p.agents[i], api.ChannelTypeSMS))
		p.tags = append(p.tags, f.Tag(t, f.Ours, fmt.Sprint("tag", i)))
	}
	for range n {
		row := seed.Conversation{Agent: p.agents[random.IntN(2)], Channel: p.channels[random.IntN(2)], Status: p.statuses[random.IntN(3)]}
		for _, tag := range p.tags {
			if random.IntN(2) == 0 {
				row.Tags = append(row.Tags, tag)
			}
		}
		conversationID := f.Conversation(t, f.Ours, row)
		p.rows[conversationID] = row
		p.ids = append(p.ids, conversationID)
	}
	slices.Reverse(p.ids) // latest first
	return p
}

// filters returns each combination of no, one and more values.
func (p *population) filters() (all []conversation.Filter) {
	for _, agent := range []*uuid.UUID{nil, &p.agents[0]} {
		for _, channel := range []*uuid.UUID{nil, &p.channels[1]} {
			for _, status := range []*api.ConversationStatus{nil, &p.statuses[0], &p.statuses[2]} {
				for _, tags := range [][]uuid.UUID{nil, {p.tags[0]}, {p.tags[1], p.tags[0], p.tags[1]}, {p.tags[0], uuid.New()}} {
					all = append(all, conversation.Filter{AgentID: agent, ChannelID: channel, Status: status, TagIDs: tags})
				}
			}
		}
	}
	return all
}

func (p *population) matching(filter conversation.Filter) (ids []uuid.UUID) {
	for _, conversationID := range p.ids {
		row := p.rows[conversationID]
		missing := slices.ContainsFunc(filter.TagIDs, func(tag uuid.UUID) bool { return !slices.Contains(row.Tags, tag) })
		if (filter.AgentID == nil || row.Agent == *filter.AgentID) && (filter.ChannelID == nil || row.Channel == *filter.ChannelID) &&
			(filter.Status == nil || row.Status == *filter.Status) && !missing {
			ids = append(ids, conversationID)
		}
	}
	return ids
}

func TestListAgreesWithAScanForEachFilter(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.populate(t, 40)
	f.Conversation(t, f.Theirs, seed.Conversation{Status: open})
	found := 0
	for _, filter := range p.filters() {
		want := p.matching(filter)
		found += len(want)
		require.Equal(t, want, f.list(t, filter, 3, func() {}), "%+v", filter)
		require.Equal(t, want, f.list(t, filter, 200, func() {}), "%+v", filter)
	}
	require.Greater(t, found, 200, "the filters match something")
}

// TestListIsStableWhileConversationsChange inserts, closes and tags conversations between
// the pages: the rows that were there at the start are listed once each.
func TestListIsStableWhileConversationsChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.populate(t, 12)
	for _, filter := range []conversation.Filter{{}, {TagIDs: p.tags[:1]}, {AgentID: &p.agents[0]}} {
		want := p.matching(filter)
		got := f.list(t, filter, 2, func() {
			fresh := f.Conversation(t, f.Ours, seed.Conversation{Agent: p.agents[0], Channel: p.channels[0], Status: open, Tags: p.tags})
			f.apply(t, conversation.Bulk{Action: api.BulkActionClose, IDs: []uuid.UUID{fresh, p.ids[0]}})
		})
		require.Subset(t, want, got)
		require.Equal(t, want, got[max(0, len(got)-len(want)):], "%+v", filter)
		// What was inserted is deleted before the next list.
		f.Exec(t, "DELETE FROM conversations WHERE NOT id = ANY($1)", p.ids)
	}
}

func TestACursorIsBoundToItsFilter(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.populate(t, 30)
	one := int32(1)
	for i, filter := range p.filters() {
		got, err := f.conversations.List(t.Context(), f.Ours, filter, page.Request{Limit: &one})
		require.NoError(t, err)
		if got.Next == nil {
			continue
		}
		for j, other := range p.filters() {
			_, err := f.conversations.List(t.Context(), f.Ours, other, page.Request{Cursor: got.Next})
			if i == j {
				require.NoError(t, err)
			} else if len(other.TagIDs) < 2 || other.TagIDs[1] == p.tags[0] { // the others hold a random id
				require.ErrorIs(t, err, page.ErrInvalidCursor, "%+v read by the cursor of %+v", other, filter)
			}
		}
		_, err = f.conversations.List(t.Context(), f.Theirs, filter, page.Request{Cursor: got.Next})
		require.ErrorIs(t, err, page.ErrInvalidCursor)
	}
}

func TestTheOrderOfTagsDoesNotChangeAFilter(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.populate(t, 30)
	one := int32(1)
	got, err := f.conversations.List(t.Context(), f.Ours, conversation.Filter{TagIDs: p.tags}, page.Request{Limit: &one})
	require.NoError(t, err)
	require.NotNil(t, got.Next)
	again := conversation.Filter{TagIDs: []uuid.UUID{p.tags[1], p.tags[0], p.tags[1]}}
	rest, err := f.conversations.List(t.Context(), f.Ours, again, page.Request{Cursor: got.Next})
	require.NoError(t, err)
	require.Equal(t, p.matching(again)[1], rest.Rows[0].Conversation.ID)
}

func TestDetailOfAnotherWorkspaceIsNotFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	operator := f.Operator(t, f.Ours, "Ola")
	tags := []uuid.UUID{f.Tag(t, f.Ours, "zeta"), f.Tag(t, f.Ours, "Alpha"), f.Tag(t, f.Ours, "beta")}
	subject := f.Conversation(t, f.Ours, seed.Conversation{Status: handedOff, Operator: &operator, Tags: tags})
	found := f.get(t, subject)
	require.Equal(t, "Ola", *found.OperatorName)
	require.Equal(t, "Anna", *found.Contact.Name)
	require.Empty(t, f.messages(t, subject))
	var names []string
	for _, tag := range found.Tags {
		names = append(names, tag.Name)
	}
	require.Equal(t, []string{"Alpha", "beta", "zeta"}, names, "by name, in any case")
	_, foreign := f.conversations.Get(t.Context(), f.Theirs, subject)
	_, absent := f.conversations.Get(t.Context(), f.Ours, uuid.New())
	require.ErrorIs(t, foreign, postgres.ErrNotFound)
	require.Equal(t, absent, foreign)
}

func TestOperatorsAndTagsAreListedPerWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var operators, tags []uuid.UUID
	for i := range 5 {
		operators = append(operators, f.Operator(t, f.Ours, "Operator"))
		tags = append(tags, f.Tag(t, f.Ours, fmt.Sprint("tag", i)))
	}
	f.Operator(t, f.Theirs, "Operator")
	f.Tag(t, f.Theirs, "tag0")
	slices.Reverse(operators)
	slices.Reverse(tags)
	four := int32(4)
	request := page.Request{Limit: &four}
	first, err := f.conversations.Operators(t.Context(), f.Ours, request)
	require.NoError(t, err)
	named, err := f.conversations.Tags(t.Context(), f.Ours, request)
	require.NoError(t, err)
	for i := range 4 {
		require.Equal(t, operators[i], first.Rows[i].ID)
		require.Equal(t, tags[i], named.Rows[i].ID)
	}
	_, err = f.conversations.Tags(t.Context(), f.Ours, page.Request{Cursor: first.Next})
	require.ErrorIs(t, err, page.ErrInvalidCursor, "a cursor of another list")
	last, err := f.conversations.Operators(t.Context(), f.Ours, page.Request{Limit: &four, Cursor: first.Next})
	require.NoError(t, err)
	require.Len(t, last.Rows, 1)
	require.Nil(t, last.Next)
}
