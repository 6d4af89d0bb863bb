package sms

import (
	"strings"
	"unicode/utf16"
)

// Encoding is how the characters of a text message are sent.
type Encoding string

// Encodings (3GPP TS 23.038). A text with one character that GSM-7 lacks is sent in UCS-2.
const (
	GSM7 Encoding = "GSM-7"
	UCS2 Encoding = "UCS-2"
)

// The characters of GSM-7; those of the extension take two places.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// places is how many places a segment has: alone, and as one of several.
var places = map[Encoding]struct{ alone, joined int }{GSM7: {160, 153}, UCS2: {70, 67}}

// Segments returns as how many segments a text is sent and charged, and in which encoding. A
// character is never divided between segments.
func Segments(text string) (int, Encoding) {
	encoding, width := GSM7, gsmWidth
	if strings.ContainsFunc(text, func(r rune) bool { return gsmWidth(r) == 0 }) {
		encoding, width = UCS2, ucsWidth
	}
	total, count, used := 0, 1, 0
	for _, r := range text {
		n := width(r)
		total += n
		if used += n; used > places[encoding].joined {
			count, used = count+1, n
		}
	}
	if total <= places[encoding].alone {
		count = 1
	}
	return count, encoding
}

// gsmWidth is how many places a character has in GSM-7; 0 if GSM-7 lacks it.
func gsmWidth(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtended, r):
		return 2 //nolint:mnd // an escape and the character
	}
	return 0
}

func ucsWidth(r rune) int { return max(1, utf16.RuneLen(r)) }
