// Package language reduces words to stems, so that a search finds them inflected.
// PostgreSQL has no stemmer for Polish; here both languages go through the same door.
package language

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/abadojack/whatlanggo"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/pl"
	"github.com/blevesearch/bleve/v2/analysis/lang/pl/stempel"
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// Language is one that words are reduced in.
type Language string

// Languages that are known. Text in any other is indexed as it stands.
const (
	English Language = "en"
	Polish  Language = "pl"
	Other   Language = "other"
)

// minRunes is the length from which a text tells its language.
const minRunes = 20

// Detect returns the language of a text: English, Polish or Other.
func Detect(text string) Language {
	if utf8.RuneCountInString(text) < minRunes {
		return Other
	}
	known := map[whatlanggo.Lang]Language{whatlanggo.Eng: English, whatlanggo.Pol: Polish}
	if found, ok := known[whatlanggo.DetectLang(text)]; ok {
		return found
	}
	return Other
}

// Word is a word of a text, with the bytes that it takes there.
type Word struct {
	Text       string // in lower case, composed (NFC)
	Start, End int
}

// Words returns the words of a text: letters and digits, as Unicode bounds them
// (UAX 29).
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

// Stem reduces a word, given in lower case. Words that say nothing have no stem: "".
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

// shortPolish is the length up to which endings are kept.
const shortPolish = 4

// foldPolish takes the marks off letters: zwrot and zwrócić are one word.
var foldPolish = strings.NewReplacer("ą", "a", "ć", "c", "ę", "e", "ł", "l", "ń", "n", "ó", "o", "ś", "s", "ź", "z", "ż", "z")

// stemPolish reduces a word by stempel's table, and evens out what the table does not:
// it was learnt from examples, and leaves forms of one word with different endings.
func stemPolish(word string) string {
	runes := []rune(word)
	stem := runes
	if len(runes) >= shortPolish {
		stem = stempel.Diff(slices.Clone(runes), polishTable().GetLastOnPath(runes))
	}
	if 2*len(stem) < len(runes) { // hardly the same word
		stem = runes
	}
	folded := foldPolish.Replace(string(stem))
	for len(folded) > shortPolish && strings.ContainsRune("aeiouy", rune(folded[len(folded)-1])) {
		folded = folded[:len(folded)-1]
	}
	return folded
}

// Stems returns the stems of a text as PostgreSQL's simple configuration takes them:
// with a space between.
func Stems(text string, in Language) string {
	var stems []string
	for _, word := range Words(text) {
		if stem := Stem(word.Text, in); stem != "" {
			stems = append(stems, stem)
		}
	}
	return strings.Join(stems, " ")
}

// Alternatives returns the stems that a word of a query can have, each once: the
// language of a few words cannot be told. A word that says nothing in one of the
// languages has none.
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

// plain keeps letters and digits, which PostgreSQL's parser leaves whole.
func plain(stem string) string {
	return strings.Map(func(r rune) rune {
		if isWord(r) {
			return r
		}
		return -1
	}, stem)
}

// polishTable is read when first used: it takes a good part of a second and some
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
