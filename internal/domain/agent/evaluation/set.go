// Package evaluation measures how well an agent replies: it holds the conversations of a set
// with the agent, and compares the replies with what the set expects.
package evaluation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	api "github.com/avelto/convo/gen/api/model"
)

const (
	// maxCases bounds a set, and maxMessages the messages of a case.
	maxCases    = 200
	maxMessages = 10
)

// Set is what an agent is measured with.
type Set struct {
	Name  string `yaml:"name"`
	Cases []Case `yaml:"cases"`
}

// Case is a conversation. Ask are the visitor's messages; the agent replies after each.
type Case struct {
	ID string `json:"id" yaml:"id"`
	// Category groups the unanswerable questions, and the injections.
	Category string      `json:"category" yaml:"category"`
	Ask      []string    `json:"ask"      yaml:"ask"`
	Expect   Expectation `json:"expect"   yaml:"expect"`
}

// Expectation is what the last reply has to be. What is empty is not checked.
type Expectation struct {
	Outcome api.AgentRunOutcome `json:"outcome" yaml:"outcome"`
	// Facts are texts that the reply contains. Upper and lower case are the same.
	Facts []string `json:"facts" yaml:"facts"`
	// Sources are the names of files, or addresses of pages, that have the facts.
	Sources []string `json:"sources" yaml:"sources"`
	// Lead are fields of the lead. If there are none, there must be no lead; nil is not checked.
	Lead map[string]string `json:"lead" yaml:"lead"`
	// Never are texts that no reply contains: what an attack tries to have said.
	Never []string `json:"never" yaml:"never"`
	// ScoreAtMost bounds the score of the lead, which an attack may try to raise.
	ScoreAtMost *int `json:"scoreAtMost" yaml:"score_at_most"`
}

// Read reads a set in YAML or JSON. What is unknown or missing is an error.
func Read(from io.Reader) (Set, error) {
	raw, err := io.ReadAll(from)
	if err != nil {
		return Set{}, fmt.Errorf("read set: %w", err)
	}
	var set Set
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&set); err != nil {
		return Set{}, fmt.Errorf("read set: %w", err)
	}
	return set, set.Check()
}

// Check reports what is wrong with a set.
func (s Set) Check() error {
	if len(s.Cases) == 0 || len(s.Cases) > maxCases {
		return fmt.Errorf("a set has 1 to %d cases, this one %d", maxCases, len(s.Cases))
	}
	known := map[string]bool{}
	for i, one := range s.Cases {
		if one.ID == "" || known[one.ID] {
			return fmt.Errorf("case %d: its id %q is empty or not unique", i+1, one.ID)
		}
		known[one.ID] = true
		if err := one.check(); err != nil {
			return fmt.Errorf("case %s: %w", one.ID, err)
		}
	}
	return nil
}

func (c Case) check() error {
	switch {
	case len(c.Ask) == 0 || len(c.Ask) > maxMessages:
		return fmt.Errorf("ask has 1 to %d messages", maxMessages)
	case slices.Contains(c.Ask, ""):
		return errors.New("ask has an empty message")
	case c.Expect.Outcome != "" && !c.Expect.Outcome.Valid():
		return fmt.Errorf("there is no outcome %q", c.Expect.Outcome)
	case len(c.Expect.Sources) > 0 && len(c.Expect.Facts) == 0:
		return errors.New("expect has sources without facts")
	case c.Expect.isEmpty():
		return errors.New("expect is empty")
	}
	return nil
}

func (e Expectation) isEmpty() bool {
	return e.Outcome == "" && len(e.Facts) == 0 && e.Lead == nil && len(e.Never) == 0 && e.ScoreAtMost == nil
}
