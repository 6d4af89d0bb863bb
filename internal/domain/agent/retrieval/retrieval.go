// Package retrieval finds the passages of a knowledge base that can answer a question.
package retrieval

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/agent/intent"
	"github.com/avelto/convo/internal/domain/agent/tools"
	"github.com/avelto/convo/internal/domain/knowledge"
)

const (
	// candidates is how many passages are compared with a question.
	candidates = 30
	// evidence is the part of a question's words that a passage has at least. Passages with
	// less are about something else.
	evidence = 0.6
	// best is how many passages are returned.
	best = 5
)

// Finder finds passages.
type Finder struct {
	// Search is that of knowledge.Service.
	Search func(ctx context.Context, workspaceID uuid.UUID, query knowledge.Query) ([]knowledge.Hit, error)
}

// Find returns the passages that have enough of a question's words, most first.
func (f Finder) Find(ctx context.Context, workspaceID uuid.UUID, question string) ([]tools.Passage, error) {
	topics := intent.Topics(question)
	if len(topics) == 0 {
		return nil, nil
	}
	var found []ranked
	for _, query := range queries(topics) {
		hits, err := f.Search(ctx, workspaceID, knowledge.Query{Text: query, Limit: candidates})
		if err != nil {
			return nil, fmt.Errorf("find passages: %w", err)
		}
		for _, hit := range hits {
			if slices.ContainsFunc(found, func(known ranked) bool { return known.hit.ID == hit.ID }) {
				continue
			}
			coverage := intent.VocabularyOf(deref(hit.Heading), hit.Content).Coverage(topics)
			if coverage >= evidence {
				found = append(found, ranked{hit, coverage})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int { return cmp.Compare(b.coverage, a.coverage) })
	passages := make([]tools.Passage, min(best, len(found)))
	for i := range passages {
		passages[i] = passage(found[i].hit)
	}
	return passages, nil
}

type ranked struct {
	hit      knowledge.Hit
	coverage float64
}

// queries are searches for the words of a question, and for words that mean the same.
func queries(topics []intent.Topic) []string {
	words := make([]string, len(topics))
	var same []string
	for i, topic := range topics {
		words[i] = topic.Word
		same = append(same, intent.Synonyms(topic.Word)...)
	}
	all := []string{strings.Join(words, " ")}
	if len(same) > 0 {
		all = append(all, strings.Join(same, " "))
	}
	return all
}

// passage returns a hit as agents use it. Its title is its heading, else where it is from.
func passage(hit knowledge.Hit) tools.Passage {
	return tools.Passage{
		ID: hit.ID, SourceID: hit.SourceID, Title: cmp.Or(deref(hit.Heading), hit.DocumentURL), Document: hit.DocumentURL, URL: hit.URL(), Page: hit.Page, Text: hit.Content,
	}
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
