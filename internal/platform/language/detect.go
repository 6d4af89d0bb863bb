package language

import (
	"unicode/utf8"

	"github.com/abadojack/whatlanggo"
)

// minRunes is the length below which the language of a text is not detected.
const minRunes = 20

var known = map[whatlanggo.Lang]Language{whatlanggo.Eng: English, whatlanggo.Pol: Polish}

// Detect returns the language of a text: English, Polish or Other.
func Detect(text string) Language { return language(detect(text, whatlanggo.Options{})) }

func detect(text string, options whatlanggo.Options) whatlanggo.Lang {
	if utf8.RuneCountInString(text) < minRunes {
		return -1
	}
	return whatlanggo.DetectLangWithOptions(text, options)
}

func language(found whatlanggo.Lang) Language {
	if one, ok := known[found]; ok {
		return one
	}
	return Other
}

// Detector detects the languages of the passages of one text.
type Detector struct {
	// Main is the language of most of the text.
	Main    Language
	options whatlanggo.Options
}

// NewDetector returns a detector for a text with a sample of it. Passages are compared
// with English, Polish and the language of the sample only: comparing them with all
// languages takes twenty times as long.
func NewDetector(sample string) Detector {
	found := detect(sample, whatlanggo.Options{})
	d := Detector{Main: language(found)}
	if found >= 0 {
		d.options.Whitelist = map[whatlanggo.Lang]bool{whatlanggo.Eng: true, whatlanggo.Pol: true, found: true}
	}
	return d
}

// Detect returns the language of a passage: English or Polish, else that of the text.
func (d Detector) Detect(passage string) Language {
	if own := language(detect(passage, d.options)); own != Other {
		return own
	}
	return d.Main
}
