package slack

import (
	"regexp"
	"strings"
)

// reference is a link, a mention or a room in a text of Slack: <https://…|label>, <@U123>,
// <#C123|name>, <!here>.
var reference = regexp.MustCompile(`<([^<>|]+)(?:\|([^<>]*))?>`)

var (
	escaper   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	unescaper = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">")
)

// escape returns a text as Slack shows it unchanged: nothing in it mentions or links.
func escape(text string) string { return escaper.Replace(text) }

// unescape returns a text of Slack as plain text.
func unescape(text string) string {
	return unescaper.Replace(reference.ReplaceAllStringFunc(text, func(found string) string {
		parts := reference.FindStringSubmatch(found)
		target, label := parts[1], parts[2]
		switch {
		case strings.HasPrefix(target, "#"), strings.HasPrefix(target, "@"):
			if label != "" {
				return target[:1] + strings.TrimPrefix(label, target[:1])
			}
			return target
		case strings.HasPrefix(target, "!"):
			if label != "" {
				return label
			}
			return "@" + target[1:]
		case label == "" || strings.HasSuffix(target, label):
			return strings.TrimPrefix(target, "mailto:")
		}
		return label + " (" + target + ")"
	}))
}
