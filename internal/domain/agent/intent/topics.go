package intent

import (
	"slices"
	"unicode"

	"github.com/avelto/convo/internal/platform/language"
)

// Topic is a word that a question is about, with all forms in which a passage may have it.
type Topic struct {
	Word  string // as it was written
	Forms []string
	// Weight says how much it matters. A name or a number that a passage lacks makes it a
	// passage about something else.
	Weight float64
}

const (
	vague    = 0.5
	ordinary = 1.0
	specific = 2.0
	// mostTopics bounds the words that are compared.
	mostTopics = 24
)

// Topics returns what a question is about: its words without those that every question has.
func Topics(text string) []Topic {
	var topics []Topic
	seen := map[string]bool{}
	for i, word := range language.Words(text) {
		plain := fold(word.Text)
		if fillers.has(plain) || len(topics) == mostTopics {
			continue
		}
		forms := Forms(word.Text)
		if len(forms) == 0 || seen[forms[0]] {
			continue
		}
		seen[forms[0]] = true
		topics = append(topics, Topic{Word: text[word.Start:word.End], Forms: forms, Weight: weight(text[word.Start:word.End], i)})
	}
	return topics
}

// weight is that of a word at a position of a text. Small numbers are mostly amounts, which a
// passage may name in another way.
func weight(word string, position int) float64 {
	const smallNumber = 2 // digits
	runes := []rune(word)
	if unicode.IsDigit(runes[0]) && len(runes) <= smallNumber {
		return vague
	}
	if unicode.IsDigit(runes[0]) || position > 0 && unicode.IsUpper(runes[0]) && len(runes) > 1 {
		return specific
	}
	return ordinary
}

// Forms returns the stems of a word, and that of the word that stands for its synonyms; none
// for a word that says nothing.
func Forms(word string) []string {
	forms := language.Alternatives(word)
	if len(forms) == 0 {
		return nil
	}
	if same, ok := synonyms[fold(word)]; ok {
		forms = append(slices.Clip(forms), "="+same)
	}
	return forms
}

// Vocabulary is the set of all forms of the words of a text.
type Vocabulary map[string]bool

// VocabularyOf returns the forms of a text's words.
func VocabularyOf(texts ...string) Vocabulary {
	v := Vocabulary{}
	for _, text := range texts {
		for _, word := range language.Words(text) {
			for _, form := range Forms(word.Text) {
				v[form] = true
			}
		}
	}
	return v
}

// Has reports whether a text has a word.
func (v Vocabulary) Has(topic Topic) bool {
	return slices.ContainsFunc(topic.Forms, func(form string) bool { return v[form] })
}

// Coverage returns the part of the topics that a text has, by weight: 0 to 1.
func (v Vocabulary) Coverage(topics []Topic) float64 {
	has, all := 0.0, 0.0
	for _, topic := range topics {
		all += topic.Weight
		if v.Has(topic) {
			has += topic.Weight
		}
	}
	if all == 0 {
		return 0
	}
	return has / all
}

// Synonyms returns the words that mean the same as a word, without it.
func Synonyms(word string) (same []string) {
	group, ok := synonyms[fold(word)]
	if !ok {
		return nil
	}
	for other, of := range synonyms {
		if of == group && other != fold(word) {
			same = append(same, other)
		}
	}
	slices.Sort(same)
	return same
}
