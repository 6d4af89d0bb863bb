package console

import (
	"strings"
	"unicode"
)

// The audit log stores the operations of the API by their IDs (createLead), and what is done
// elsewhere as a noun and a participle (webhook.created). Both are shown in one form: what has
// been changed, and then how ("Lead created").

// participles holds the verbs that IDs of operations begin with.
var participles = map[string]string{
	"authorize": "authorized", "cancel": "canceled", "check": "checked", "close": "closed", "crawl": "crawled", "create": "created", "delete": "deleted",
	"publish": "published", "redeliver": "redelivered", "refresh": "refreshed", "release": "released", "reopen": "reopened", "report": "reported",
	"rotate": "rotated", "send": "sent", "test": "tested", "update": "updated", "upload": "uploaded",
}

// irregular holds the actions that are not named by the rule, or would be named differently
// although they do the same.
var irregular = map[string]string{
	"bulkUpdateConversations":      "Conversations updated in bulk",
	"handOffConversation":          "Conversation handed off",
	"rollBackAgent":                "Agent rolled back",
	"previewAgent":                 "Agent tried",
	"exportContact":                "Contact exported",
	"redeliverIntegrationDelivery": "Webhook event redelivered",
	"webhook.redelivered":          "Webhook event redelivered",
	"audit.exported":               "Audit log exported",
	"crawlKnowledge":               "Knowledge crawl started",
}

// spelling replaces words that are not written as in an ID.
var spelling = strings.NewReplacer("api token", "API token", "sign in", "sign-in", "integration", "webhook")

// actionName returns the name of an action of the audit log for people.
func actionName(action string) string {
	if name, ok := irregular[action]; ok {
		return name
	}
	if noun, participle, ok := strings.Cut(action, "."); ok {
		return capital(spelling.Replace(words(noun) + " " + words(participle)))
	}
	verb, rest, _ := strings.Cut(spaced(action), " ")
	if participle, ok := participles[verb]; ok && rest != "" {
		return capital(spelling.Replace(rest + " " + participle))
	}
	return capital(spaced(action))
}

func words(text string) string { return strings.ReplaceAll(text, "_", " ") }

// spaced separates the words of an ID in camel case: updateLeadStatus is "update lead status".
func spaced(text string) string {
	var b strings.Builder
	for _, letter := range text {
		if unicode.IsUpper(letter) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(letter))
	}
	return b.String()
}

func capital(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
