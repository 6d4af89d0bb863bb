// Package language reduces words to stems, so that a search matches inflected forms.
// PostgreSQL has no stemmer for Polish, so both languages are stemmed here.
package language

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/pl"
	"github.com/blevesearch/bleve/v2/analysis/lang/pl/stempel"
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// Language is the language of a text, which determines how its words are stemmed.
type Language string

// Supported languages. Words of other languages are indexed without stemming.
const (
	English Language = "en"
	Polish  Language = "pl"
	Other   Language = "other"
)

// Word is a word of a text, with its position in bytes.
type Word struct {
	Text       string // in lower case, composed (NFC)
	Start, End int
}

// Words returns the words of a text that contain letters or digits, split at the word
// boundaries of Unicode (UAX 29).
func Words(text string) []Word {
	var words []Word
	state, at := -1, 0
	for rest := text; rest != ""; {
		var word string
		word, rest, state = uniseg.FirstWordInString(rest, state)
		if strings.ContainsFunc(word, isWord) {
			words = append(words, Word{Text: strings.ToLower(norm.NFC.String(word)), Start: at, End: at + len(word)})
		}
		at += len(word)
	}
	return words
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Stem reduces a lowercase word to its stem. The stem of a stop word is empty.
func Stem(word string, in Language) string {
	switch in {
	case English:
		if stopWords().english[word] {
			return ""
		}
		word, _ = strings.CutSuffix(strings.ReplaceAll(word, "’", "'"), "'s")
		env := snowballstem.NewEnv(word)
		english.Stem(env)
		return plain(env.Current())
	case Polish:
		if stopWords().polish[word] {
			return ""
		}
		return plain(stemPolish(word))
	case Other:
	}
	return plain(word)
}

// shortPolish is the length up to which words keep their endings.
const shortPolish = 4

// foldPolish removes diacritics, so that zwrot and zwrócić get the same stem.
var foldPolish = strings.NewReplacer("ą", "a", "ć", "c", "ę", "e", "ł", "l", "ń", "n", "ó", "o", "ś", "s", "ź", "z", "ż", "z")

// stemPolish stems a word with stempel's table. The table was learned from examples and
// gives some forms of a word different endings, so final vowels are removed.
func stemPolish(word string) string {
	runes := []rune(word)
	stem := runes
	if len(runes) >= shortPolish {
		stem = stempel.Diff(slices.Clone(runes), polishTable().GetLastOnPath(runes))
	}
	if 2*len(stem) < len(runes) { // too short to be the stem
		stem = runes
	}
	folded := foldPolish.Replace(string(stem))
	for len(folded) > shortPolish && strings.ContainsRune("aeiouy", rune(folded[len(folded)-1])) {
		folded = folded[:len(folded)-1]
	}
	return folded
}

// Stems returns the stems of a text, separated by spaces, as input for PostgreSQL's
// simple configuration.
func Stems(text string, in Language) string {
	var stems []string
	for _, word := range Words(text) {
		if stem := Stem(word.Text, in); stem != "" {
			stems = append(stems, stem)
		}
	}
	return strings.Join(stems, " ")
}

// Alternatives returns the distinct stems that a word of a query can have in the supported
// languages, because the language of a few words cannot be detected. It returns none for
// a stop word of any of the languages.
func Alternatives(word string) []string {
	var all []string
	for _, in := range []Language{English, Polish, Other} {
		stem := Stem(word, in)
		if stem == "" {
			return nil
		}
		if !slices.Contains(all, stem) {
			all = append(all, stem)
		}
	}
	return all
}

// plain removes everything but letters and digits, so that PostgreSQL's parser does not
// split the stem.
func plain(stem string) string {
	return strings.Map(func(r rune) rune {
		if isWord(r) {
			return r
		}
		return -1
	}, stem)
}

// polishTable is loaded on first use, because it takes almost a second and several
// megabytes.
var polishTable = sync.OnceValue(func() stempel.Trie {
	table, err := stempel.LoadTrie()
	if err != nil {
		panic("language: the library's own table: " + err.Error())
	}
	return table
})

type stops struct{ english, polish analysis.TokenMap }

var stopWords = sync.OnceValue(func() stops {
	all := stops{analysis.NewTokenMap(), analysis.NewTokenMap()}
	for list, into := range map[*[]byte]analysis.TokenMap{&en.EnglishStopWords: all.english, &pl.PolishStopWords: all.polish} {
		if err := into.LoadBytes(*list); err != nil {
			panic("language: the library's own list: " + err.Error())
		}
	}
	return all
})
