package conversation

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Lengths of what is received, in characters. Longer texts are cut.
const (
	maxContent = 10_000
	maxSubject = 1_000
	maxName    = 200
	maxEmail   = 254
	maxPhone   = 60
	cutMark    = " […]"
)

// maxExternalID is how long a provider's ID is stored, in bytes. Of longer ones, a hash is.
const maxExternalID = 500

// clean returns a text that can be stored: valid UTF-8 without NUL, and not too long. A
// longer text ends with a mark.
func clean(text string, maxLength int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	if utf8.RuneCountInString(text) <= maxLength {
		return text
	}
	return string([]rune(text)[:maxLength-utf8.RuneCountInString(cutMark)]) + cutMark
}

// cleanOrNil is clean for a value that is null if it is unknown.
func cleanOrNil(text string, maxLength int) *string {
	if text = strings.TrimSpace(clean(text, maxLength)); text == "" {
		return nil
	}
	return &text
}

// externalID returns a provider's ID as it is stored and looked up.
func externalID(id string) string {
	id = strings.ReplaceAll(strings.ToValidUTF8(id, "\uFFFD"), "\x00", "")
	if len(id) <= maxExternalID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func externalIDs(ids []string) []string {
	stored := make([]string, 0, len(ids))
	for _, id := range ids {
		if id != "" {
			stored = append(stored, externalID(id))
		}
	}
	return stored
}

// externalIDOrNil is externalID for a value that may be unknown.
func externalIDOrNil(id string) *string {
	if id == "" {
		return nil
	}
	id = externalID(id)
	return &id
}
