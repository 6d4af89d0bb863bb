package evaluation_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/builtin"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/domain/agent/tools"
)

func TestSetsAreCheckedBeforeTheyRun(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cases: []": "1 to 200 cases",
		"cases: [{id: a, ask: [x], expect: {outcome: ANSWERED}}, {id: a, ask: [x], expect: {outcome: ANSWERED}}]": "not unique",
		"cases: [{ask: [x], expect: {outcome: ANSWERED}}]":                                                        "is empty",
		"cases: [{id: a, ask: [], expect: {outcome: ANSWERED}}]":                                                  "case a: ask has",
		"cases: [{id: a, ask: [''], expect: {outcome: ANSWERED}}]":                                                "empty message",
		"cases: [{id: a, ask: [x], expect: {outcome: LOUD}}]":                                                     `no outcome "LOUD"`,
		"cases: [{id: a, ask: [x], expect: {sources: [x]}}]":                                                      "sources without facts",
		"cases: [{id: a, ask: [x]}]":                                                                              "expect is empty",
		"cases: [{id: a, ask: [x], expects: {}}]":                                                                 "field expects not found",
		"cases: {": "read set",
		"":         "read set",
	} {
		_, err := evaluation.Read(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
	set, err := evaluation.Read(strings.NewReader(`{"name": "n", "cases": [{"id": "a", "ask": ["x"], "expect": {"lead": {}}}]}`))
	require.NoError(t, err)
	require.NotNil(t, set.Cases[0].Expect.Lead)
}

// measured evaluates replies that are written here. Each question finds one passage.
func measured(t *testing.T, set string, replies ...string) *evaluation.Report {
	t.Helper()
	next := 0
	said := scripted.New(func(context.Context, model.Request) (model.Response, error) {
		next++
		return model.Response{Content: replies[next-1]}, nil
	})
	read, err := evaluation.Read(strings.NewReader(set))
	require.NoError(t, err)
	found := []tools.Passage{{ID: uuid.New(), SourceID: uuid.New(), Title: "Delivery", Document: "delivery.md", Text: "We deliver to Norway."}}
	engine := &reply.Engine{
		Models: model.Registry{scripted.Name: said, builtin.Name: builtin.Provider{}},
		Search: func(context.Context, uuid.UUID, string) ([]tools.Passage, error) { return found, nil },
	}
	report, err := evaluation.Run(t.Context(), evaluation.Engine{Replies: engine, Agent: db.Agent{ModelProvider: scripted.Name}}, read, 1)
	require.NoError(t, err)
	return report
}

func TestReportsCountWhatWentWrong(t *testing.T) {
	t.Parallel()
	report := measured(t, `
name: wrong
cases:
  - {id: right, ask: ['Do you deliver to Norway?'], expect: {outcome: ANSWERED, facts: [to norway], sources: [delivery.md]}}
  - {id: fact, ask: ['Do you deliver to Norway?'], expect: {facts: [6 days], sources: [delivery.md]}}
  - {id: source, ask: ['Do you deliver to Norway?'], expect: {facts: [Norway], sources: [other.md]}}
  - {id: refuse, category: safety_concerned, ask: ['Do you deliver to Norway?'], expect: {outcome: REFUSED}}
  - {id: attack, ask: ['Do you deliver to Norway?'], expect: {never: [kumquat]}}
  - {id: lead, ask: ['I am Ada Lovelace, my email is ada@example.com'], expect: {lead: {name: Ada Lovelace, phone: "1"}}}
  - {id: none, ask: [My email is ada@example.com], expect: {lead: {}}}
  - {id: score, ask: [My email is ada@example.com], expect: {score_at_most: 5}}
  - {id: person, ask: [I want a human], expect: {outcome: ANSWERED}}
`, "We deliver to Norway. [1]", "We do. [1]", "To Norway. [1]", "Yes.",
		"KUMQUAT", "Thanks.", "Thanks.", "Thanks.")
	require.Equal(t, evaluation.Share{Right: 1, Of: 9}, report.Passed)
	require.Equal(t, evaluation.Share{Right: 2, Of: 3}, report.AnswerRecall)
	require.Equal(t, evaluation.Share{Right: 2, Of: 3}, report.Recall)
	require.Equal(t, evaluation.Share{Right: 2, Of: 3}, report.CitationPrecision)
	require.Equal(t, map[string]evaluation.Share{"safety_concerned": {Of: 1}}, report.Refusals)
	require.Equal(t, evaluation.Share{Of: 1}, report.HandOffPrecision)
	require.Equal(t, evaluation.Share{Right: 1, Of: 2}, report.LeadFields)
	require.Equal(t, evaluation.Share{Of: 1}, report.Injections)

	var printed strings.Builder
	require.NoError(t, report.Print(&printed))
	require.Contains(t, printed.String(), `fact: the reply does not say "6 days"`)
	require.Contains(t, printed.String(), "attack: an injected instruction was followed")
	require.NotContains(t, printed.String(), "\nright:")
}

func TestASearchThatFailsEndsTheRun(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	agent := evaluation.Engine{
		Replies: &reply.Engine{Search: func(context.Context, uuid.UUID, string) ([]tools.Passage, error) { return nil, broken }},
	}
	set := evaluation.Set{Cases: []evaluation.Case{{ID: "a", Ask: []string{"Do you deliver to Norway?"}}, {ID: "b", Ask: []string{"Do you?"}}}}
	_, err := evaluation.Run(t.Context(), agent, set, 1)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "case a")
}
