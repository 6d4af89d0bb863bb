package knowledge_test

import (
	"html"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/knowledge"
)

func (s *shelf) search(t *testing.T, space uuid.UUID, query knowledge.Query) []knowledge.Hit {
	t.Helper()
	if query.Limit == 0 {
		query.Limit = 10
	}
	hits, err := s.service.Search(t.Context(), space, query)
	require.NoError(t, err)
	return hits
}

func sources(hits []knowledge.Hit) (ids []uuid.UUID) {
	for _, hit := range hits {
		ids = append(ids, hit.SourceID)
	}
	return ids
}

func TestSearchRanksAllWordsAboveSome(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	some := s.ingest(t, s.Ours, "some.md", "A refund, the refund, my refund, your refund: every refund is a refund.")
	both := s.ingest(t, s.Ours, "both.md", "Somewhere in a long text about warehouses and the delivery of parcels stands that a refund for damaged boots is possible.")
	s.ingest(t, s.Ours, "none.md", "Opening hours are from nine to five.")
	require.Equal(t, []uuid.UUID{both, some}, sources(s.search(t, s.Ours, knowledge.Query{Text: "refund boots"})))
	require.Equal(t, []uuid.UUID{both}, sources(s.search(t, s.Ours, knowledge.Query{Text: "refund boots", Limit: 1})))
	require.Equal(t, []uuid.UUID{some, both}, sources(s.search(t, s.Ours, knowledge.Query{Text: "refund"})), "by density")
	require.Equal(t, []uuid.UUID{some, both}, sources(s.search(t, s.Ours, knowledge.Query{Text: "REFUNDS, refund? Refund!"})), "each word once")
}

func TestSearchRanksHeadingsAboveText(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	text := s.ingest(t, s.Ours, "text.md", "# Orders\n\nDelivery takes three days for this order.")
	heading := s.ingest(t, s.Ours, "heading.md", "# Delivery\n\nParcels take three days for this order.")
	require.Equal(t, []uuid.UUID{heading, text}, sources(s.search(t, s.Ours, knowledge.Query{Text: "delivery"})))
}

func TestSearchIsLimitedToSourcesAndWorkspace(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	first := s.ingest(t, s.Ours, "first.md", "Boots are waterproof.")
	second := s.ingest(t, s.Ours, "second.md", "Boots are made of leather.")
	theirs := s.ingest(t, s.Theirs, "theirs.md", "Boots of another workspace.")
	require.ElementsMatch(t, []uuid.UUID{first, second}, sources(s.search(t, s.Ours, knowledge.Query{Text: "boots"})))
	for _, one := range []struct {
		ids, want []uuid.UUID
	}{
		{[]uuid.UUID{second}, []uuid.UUID{second}},
		{[]uuid.UUID{theirs, first}, []uuid.UUID{first}},
		{[]uuid.UUID{theirs}, nil},
		{[]uuid.UUID{uuid.New()}, nil},
	} {
		require.Equal(t, one.want, sources(s.search(t, s.Ours, knowledge.Query{Text: "boots", SourceIDs: one.ids})))
	}
	// The term by which the shared index tells workspaces apart is no word of a text.
	term := "w" + strings.ReplaceAll(s.Theirs.String(), "-", "")
	require.Empty(t, s.search(t, s.Ours, knowledge.Query{Text: term}))
	require.Empty(t, s.search(t, s.Ours, knowledge.Query{Text: "boots' | '" + term, SourceIDs: []uuid.UUID{theirs}}))
	require.NoError(t, s.service.DeleteSource(t.Context(), s.DB, s.Ours, first))
	require.Equal(t, []uuid.UUID{second}, sources(s.search(t, s.Ours, knowledge.Query{Text: "boots"})))
}

func TestSnippetsAreEscapedAndMarked(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	padding := strings.Repeat("Nothing of interest is written here. ", 12)
	s.ingest(t, s.Ours, "a.md", padding+`Use 5 < 6 && "quoted" boots, or a Boot. `+padding)
	hits := s.search(t, s.Ours, knowledge.Query{Text: "boots"})
	require.Len(t, hits, 1)
	snippet := hits[0].Snippet
	require.Contains(t, snippet, "<mark>boots</mark>")
	require.Contains(t, snippet, "<mark>Boot</mark>", "other forms of the word too")
	require.Contains(t, snippet, "5 &lt; 6 &amp;&amp; &#34;quoted&#34;")
	require.True(t, strings.HasPrefix(snippet, "… ") && strings.HasSuffix(snippet, " …"), snippet)
	plain := html.UnescapeString(strings.NewReplacer("<mark>", "", "</mark>", "").Replace(snippet))
	require.Less(t, len([]rune(plain)), 330)
	require.Contains(t, hits[0].Content, strings.Trim(plain, "… "), "a part of the passage, word for word")
	require.Nil(t, hits[0].URL(), "a file has no address")
}

func TestASearchWithoutWordsFindsNothing(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.ingest(t, s.Ours, "a.md", "The boots and the laces.")
	for _, text := range []string{"", " \t", "…!?", "the and"} {
		require.Empty(t, s.search(t, s.Ours, knowledge.Query{Text: text}), "%q", text)
	}
}
