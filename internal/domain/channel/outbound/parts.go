package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// part is what one call sends: a piece of the text, a file, or all of them together; or a
// template, whose text is not split.
type part struct {
	text        string
	attachments []provider.OutboundAttachment
	template    *provider.TemplateMessage
}

// parts returns the parts of the message.
func (s *sending) parts(ctx context.Context) ([]part, error) {
	if s.row.Template != nil {
		var template provider.TemplateMessage
		if err := json.Unmarshal(s.row.Template, &template); err != nil {
			return nil, fmt.Errorf("stored template: %w", err)
		}
		return []part{{text: s.row.Message.Content, template: &template}}, nil
	}
	attachments, err := s.attachments(ctx)
	if err != nil {
		return nil, err
	}
	return split(s.row.Message.Content, attachments, s.rules), nil
}

// split cuts a message into parts that the provider accepts. The same message always gives
// the same parts, since the number of parts that were sent is all that is stored.
func split(text string, attachments []provider.OutboundAttachment, rules provider.Rules) []part {
	if rules.Together {
		return []part{{text: text, attachments: attachments}}
	}
	var parts []part
	for _, piece := range pieces(text, rules) {
		parts = append(parts, part{text: piece})
	}
	for i := range attachments {
		parts = append(parts, part{attachments: attachments[i : i+1]})
	}
	return parts
}

// pieces cuts a text at white space where it can, into pieces of at most MaxLength
// characters, counted in UTF-16 code units as most providers do.
func pieces(text string, rules provider.Rules) []string {
	if rules.MaxLength == 0 || !rules.Split {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	var found []string
	for text != "" {
		end := cut(text, rules.MaxLength)
		if piece := strings.TrimSpace(text[:end]); piece != "" {
			found = append(found, piece)
		}
		text = text[end:]
	}
	return found
}

// cut returns where to end the first piece: the whole text if it is short, else after the
// last white space in the second half of what fits, else where the limit is.
func cut(text string, most int) int {
	units, end, space, half := 0, 0, 0, 0
	for i, r := range text {
		units += max(1, utf16Length(r))
		if units > most {
			end = i
			if unicode.IsSpace(r) {
				return end
			}
			break
		}
		if units <= most/2 {
			half = i
		}
		if unicode.IsSpace(r) {
			space = i + utf8.RuneLen(r)
		}
	}
	switch {
	case units <= most:
		return len(text)
	case space > half:
		return space
	}
	return end
}

func utf16Length(r rune) int {
	const basicPlane = 0x10000
	if r >= basicPlane {
		return 2
	}
	return 1
}
