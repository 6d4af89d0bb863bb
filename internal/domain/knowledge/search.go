package knowledge

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/language"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// candidates is how many passages are ranked, at most: words that are in half of
	// all passages must not make a search slow.
	candidates   = 1000
	maxTerms     = 16
	snippetRunes = 320
	lead         = 80 // runes of a snippet before its first hit
)

// Query is a search. SourceIDs are empty for all sources.
type Query struct {
	Text      string
	Limit     int32
	SourceIDs []uuid.UUID
}

// Hit is a passage that answers a query. Snippet is HTML: text, and <mark>.
type Hit struct {
	db.KnowledgeChunkSearchRow

	Snippet string
}

// Search returns the passages that answer a query best: first those with all of its
// words, then those with some.
func (s *Service) Search(ctx context.Context, workspaceID uuid.UUID, query Query) ([]Hit, error) {
	words := terms(query.Text)
	if len(words) == 0 {
		return nil, nil
	}
	groups := make([]string, len(words))
	for i, stems := range words {
		quoted := make([]string, len(stems))
		for j, stem := range stems {
			quoted[j] = "'" + stem + "'" // letters and digits alone
		}
		groups[i] = "(" + strings.Join(quoted, "|") + ")"
	}
	var rows []db.KnowledgeChunkSearchRow
	for _, operator := range []string{"&", "|"} {
		more, err := s.find(ctx, workspaceID, query, strings.Join(groups, operator))
		if err != nil {
			return nil, err
		}
		rows = merge(rows, more, int(query.Limit))
		if len(rows) == int(query.Limit) || len(groups) == 1 {
			break
		}
	}
	hits := make([]Hit, len(rows))
	for i, row := range rows {
		hits[i] = Hit{KnowledgeChunkSearchRow: row, Snippet: snippet(row.Content, words)}
	}
	return hits, nil
}

func (s *Service) find(ctx context.Context, workspaceID uuid.UUID, query Query, expression string) ([]db.KnowledgeChunkSearchRow, error) {
	if query.SourceIDs == nil {
		query.SourceIDs = []uuid.UUID{}
	}
	rows, err := db.New().KnowledgeChunkSearch(ctx, postgres.PlanEachTime(s.DB), db.KnowledgeChunkSearchParams{
		WorkspaceID: workspaceID, Query: expression + " & '" + term(workspaceID) + "'", Words: expression,
		SourceIDs: query.SourceIDs, Candidates: candidates, RowLimit: query.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("search passages: %w", err)
	}
	return rows, nil
}

// term qualifies a word with the workspace, since all workspaces share the index.
func term(workspaceID uuid.UUID) string {
	return "w" + strings.ReplaceAll(workspaceID.String(), "-", "")
}

// terms returns the stems of the distinct words of a query. If all are stop words, they are
// kept.
func terms(text string) [][]string {
	words := language.Words(text)
	slices.SortStableFunc(words, func(a, b language.Word) int { return cmp.Compare(a.Text, b.Text) })
	words = slices.CompactFunc(words, func(a, b language.Word) bool { return a.Text == b.Text })
	var all [][]string
	for _, word := range words {
		if stems := language.Alternatives(word.Text); len(stems) > 0 && len(all) < maxTerms {
			all = append(all, stems)
		}
	}
	return all
}

// merge appends the rows that are not in the list yet.
func merge(first, then []db.KnowledgeChunkSearchRow, limit int) []db.KnowledgeChunkSearchRow {
	for _, row := range then {
		known := slices.ContainsFunc(first, func(other db.KnowledgeChunkSearchRow) bool { return other.ID == row.ID })
		if len(first) < limit && !known {
			first = append(first, row)
		}
	}
	return first
}

// snippet cuts a passage to the part with its first hit, and marks the hits.
func snippet(content string, words [][]string) string {
	hit := func(word string) bool {
		for _, stem := range language.Alternatives(word) {
			for _, stems := range words {
				if slices.Contains(stems, stem) {
					return true
				}
			}
		}
		return false
	}
	var hits []language.Word
	for _, word := range language.Words(content) {
		if hit(word.Text) {
			hits = append(hits, word)
		}
	}
	from, to := window(content, hits)
	var b strings.Builder
	if from > 0 {
		b.WriteString("… ")
	}
	at := from
	for _, one := range hits {
		if one.Start < at || one.End > to {
			continue
		}
		b.WriteString(html.EscapeString(content[at:one.Start]))
		b.WriteString("<mark>" + html.EscapeString(content[one.Start:one.End]) + "</mark>")
		at = one.End
	}
	b.WriteString(html.EscapeString(content[at:to]))
	if to < len(content) {
		b.WriteString(" …")
	}
	return b.String()
}

// window is the part of a passage to show, cut between words.
func window(content string, hits []language.Word) (from, to int) {
	if len(hits) > 0 {
		from = back(content, hits[0].Start, lead)
	}
	to = forward(content, from, snippetRunes)
	if from > 0 {
		if space := strings.IndexByte(content[from:to], ' '); space >= 0 && from+space < hits[0].Start {
			from += space + 1
		}
	}
	if to < len(content) {
		if space := strings.LastIndexByte(content[from:to], ' '); space > 0 {
			to = from + space
		}
	}
	return from, to
}

func back(text string, at, runes int) int {
	for ; runes > 0 && at > 0; runes-- {
		_, n := utf8.DecodeLastRuneInString(text[:at])
		at -= n
	}
	return at
}

func forward(text string, at, runes int) int {
	for ; runes > 0 && at < len(text); runes-- {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return at
}

// URL returns the web address of a passage; nil for files.
func (h Hit) URL() *string {
	if h.SourceType == api.KnowledgeTypeCRAWL {
		return &h.DocumentURL
	}
	return nil
}
