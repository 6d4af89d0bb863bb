// Package label normalizes names that people give to things: tags, agents, tokens,
// workspaces.
package label

import (
	"errors"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

var (
	// ErrEmpty means that a name has no visible character.
	ErrEmpty = errors.New("label: must have a visible character")
	// ErrInvisible means that a name has characters that cannot be seen: two names that
	// differ in them only would look the same.
	ErrInvisible = errors.New("label: must not have invisible characters")
)

const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// blank are characters that are not white space and still have no glyph.
var blank = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // braille pattern blank
}}

// Clean returns a name in NFC without surrounding white space. It returns ErrEmpty and
// ErrInvisible.
func Clean(name string) (string, error) {
	name = strings.TrimSpace(norm.NFC.String(name))
	if name == "" {
		return "", ErrEmpty
	}
	var before rune
	for _, r := range name {
		joining := (r == joiner || r == nonJoiner) && joins(before)
		if invisible(r) && !joining {
			return "", ErrInvisible
		}
		before = r
	}
	if invisible(before) { // a joiner joins nothing at the end
		return "", ErrInvisible
	}
	return name, nil
}

// Key returns what names are compared by: names that differ only in case, or in the form
// of their characters, have the same key. The name must be clean.
func Key(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == joiner || r == nonJoiner || unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, name)
	// Folding can undo a normalization, so it is repeated.
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

// invisible reports whether a character has no glyph. Spaces have one here.
func invisible(r rune) bool {
	return r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, blank)
}

// joins reports whether a joiner after a character changes what is seen: in emoji, and in
// scripts whose letters connect.
func joins(before rune) bool {
	return unicode.In(before, unicode.So, unicode.Sk, unicode.Variation_Selector) ||
		unicode.In(before, unicode.L, unicode.M) && !unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}
