package builtin

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/avelto/convo/internal/domain/agent/intent"
	"github.com/avelto/convo/internal/domain/agent/tools"
)

const (
	// evidence is the part of a question's words that a passage has at least to answer it.
	evidence = 0.6
	// quotedEvidence is the part of them that the quoted sentences have, with the title.
	quotedEvidence = 0.5
	// mostQuoted is how many passages a reply quotes, and longest how many runes of one.
	mostQuoted = 2
	longest    = 320
)

// marks are numbers in brackets, which would look like citations.
var marks = regexp.MustCompile(`\s*\[\d+\]`)

// quote is a part of a passage.
type quote struct {
	number  int
	text    string
	matched []int // positions of the topics that the passage has
	score   float64
}

// answer quotes the passages that answer a question, each with its number; empty if none does.
func answer(question string, found []tools.FoundPassage) string {
	topics := intent.Topics(question)
	var quotes []quote
	for _, passage := range found {
		passage.Text = trusted(passage.Text)
		if one, ok := best(topics, passage); ok {
			quotes = append(quotes, one)
		}
	}
	slices.SortStableFunc(quotes, func(a, b quote) int { return cmp.Compare(b.score, a.score) })
	var said []string
	covered := map[int]bool{}
	for _, one := range quotes {
		adds := slices.ContainsFunc(one.matched, func(topic int) bool { return !covered[topic] })
		if !adds || len(said) == mostQuoted {
			continue
		}
		for _, topic := range one.matched {
			covered[topic] = true
		}
		said = append(said, fmt.Sprintf("%s [%d]", one.text, one.number))
	}
	return strings.Join(said, " ")
}

// best returns the sentences of a passage that answer a question best.
func best(topics []intent.Topic, passage tools.FoundPassage) (quote, bool) {
	whole := intent.VocabularyOf(passage.Title, passage.Text)
	if whole.Coverage(topics) < evidence {
		return quote{}, false
	}
	sentences := sentencesOf(passage.Text)
	top, topScore := -1, 0.0
	for i, sentence := range sentences {
		if score := intent.VocabularyOf(sentence).Coverage(topics); score > topScore {
			top, topScore = i, score
		}
	}
	if top < 0 { // the title alone has the words
		top = 0
	}
	one := quote{number: passage.Number, text: extend(sentences, top), score: whole.Coverage(topics) + topScore}
	if intent.VocabularyOf(passage.Title, one.text).Coverage(topics) < quotedEvidence {
		return quote{}, false
	}
	for i, topic := range topics {
		if whole.Has(topic) {
			one.matched = append(one.matched, i)
		}
	}
	return one, one.text != ""
}

// extend returns a sentence with those that follow it, as far as there is room.
func extend(sentences []string, first int) string {
	if len(sentences) == 0 {
		return ""
	}
	text := sentences[first]
	for _, next := range sentences[first+1:] {
		if len([]rune(text))+len([]rune(next)) >= longest {
			break
		}
		text += " " + next
	}
	text = marks.ReplaceAllString(text, "")
	if runes := []rune(text); len(runes) > longest {
		text = strings.TrimSpace(string(runes[:longest-1])) + "…"
	}
	return text
}

// trusted returns a text up to where it begins to instruct a machine. What follows may still
// be part of the attack.
func trusted(text string) string {
	for _, sentence := range sentencesOf(text) {
		if intent.InstructsMachine(sentence) {
			before, _, _ := strings.Cut(text, sentence)
			return before
		}
	}
	return text
}

// sentencesOf splits a text into sentences and lines.
func sentencesOf(text string) (sentences []string) {
	for line := range strings.Lines(text) {
		state := -1
		for line != "" {
			var sentence string
			sentence, line, state = uniseg.FirstSentenceInString(line, state)
			if sentence = strings.TrimSpace(sentence); sentence != "" {
				sentences = append(sentences, sentence)
			}
		}
	}
	return sentences
}
