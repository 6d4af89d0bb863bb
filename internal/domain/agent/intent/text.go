package intent

import (
	"strings"

	"github.com/avelto/convo/internal/platform/language"
)

// vocabulary is a set of words and beginnings of words.
type vocabulary struct {
	words    map[string]bool
	prefixes []string
}

func list(words string) vocabulary {
	v := vocabulary{words: map[string]bool{}}
	for word := range strings.FieldsSeq(words) {
		if prefix, ok := strings.CutSuffix(word, "*"); ok {
			v.prefixes = append(v.prefixes, prefix)
		} else {
			v.words[word] = true
		}
	}
	return v
}

func (v vocabulary) has(word string) bool {
	if v.words[word] {
		return true
	}
	for _, prefix := range v.prefixes {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return false
}

// count returns how many of the words are in the vocabulary.
func (v vocabulary) count(words []string) (n int) {
	for _, word := range words {
		if v.has(word) {
			n++
		}
	}
	return n
}

func groups(lines ...string) map[string]string {
	all := map[string]string{}
	for _, line := range lines {
		words := strings.Fields(line)
		for _, word := range words {
			all[word] = words[0]
		}
	}
	return all
}

var diacritics = strings.NewReplacer("ą", "a", "ć", "c", "ę", "e", "ł", "l", "ń", "n", "ó", "o", "ś", "s", "ź", "z", "ż", "z", "’", "'")

func fold(word string) string { return diacritics.Replace(strings.ToLower(word)) }

// folded returns the words of a text in lower case, without diacritics.
func folded(text string) []string {
	found := language.Words(text)
	words := make([]string, len(found))
	for i, word := range found {
		words[i] = fold(word.Text)
	}
	return words
}

// shortText is how many runes a text has that is too short to detect its language by letters.
const shortText = 60

// Language returns the language of a text: English or Polish, English in doubt.
func Language(text string) language.Language {
	if len([]rune(text)) >= shortText {
		if found := language.Detect(text); found != language.Other {
			return found
		}
	}
	if strings.ContainsAny(strings.ToLower(text), "ąćęłńśźż") || polishWords.count(folded(text)) > 0 {
		return language.Polish
	}
	return language.English
}
