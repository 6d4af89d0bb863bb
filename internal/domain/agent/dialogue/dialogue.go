// Package dialogue reads a conversation between a visitor and an agent: what is to be replied
// to, which contact details were left, and what it was about.
package dialogue

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/avelto/convo/internal/domain/agent/intent"
	"github.com/avelto/convo/internal/platform/language"
)

// Turn is a message. Visitor says that it is not of the agent or an operator.
type Turn struct {
	Visitor bool
	Text    string
}

// Dialogue is a conversation, oldest message first.
type Dialogue []Turn

// Said returns what the visitor has written since the last reply.
func (d Dialogue) Said() string { return strings.Join(d.unanswered(), "\n") }

// Question is what the visitor has written since the last reply, without contact details: what
// to search for.
func (d Dialogue) Question() string {
	_, latest := d.Details()
	return strings.TrimSpace(latest.Without(d.Said()))
}

func (d Dialogue) unanswered() (texts []string) {
	for _, turn := range slices.Backward(d) {
		if !turn.Visitor {
			break
		}
		texts = append(texts, turn.Text)
	}
	slices.Reverse(texts)
	return texts
}

// Visitor returns all texts of the visitor.
func (d Dialogue) Visitor() (texts []string) {
	for _, turn := range d {
		if turn.Visitor {
			texts = append(texts, turn.Text)
		}
	}
	return texts
}

// LastReply returns the last message that is not the visitor's; empty if there is none.
func (d Dialogue) LastReply() string {
	for _, turn := range slices.Backward(d) {
		if !turn.Visitor {
			return turn.Text
		}
	}
	return ""
}

// Earlier returns what the visitor wrote before the last reply; empty if there is nothing.
func (d Dialogue) Earlier() string {
	rest := d[:len(d)-len(d.unanswered())]
	for len(rest) > 0 && !rest[len(rest)-1].Visitor {
		rest = rest[:len(rest)-1]
	}
	return rest.Said()
}

// Language returns the language to reply in: that of the last message, or that of all if it
// says little.
func (d Dialogue) Language() language.Language {
	const fewWords = 2
	said := d.Said()
	words := slices.DeleteFunc(language.Words(said), func(word language.Word) bool { return !strings.ContainsFunc(word.Text, unicode.IsLetter) })
	if len(words) > fewWords {
		return intent.Language(said)
	}
	return intent.Language(strings.Join(d.Visitor(), "\n"))
}

// Details returns the contact details that the visitor has left in all messages, and those in
// what was written since the last reply.
func (d Dialogue) Details() (all, latest intent.Details) {
	asked := ""
	for _, turn := range d {
		if !turn.Visitor {
			asked, latest = turn.Text, intent.Details{}
			continue
		}
		found := intent.DetailsOf(turn.Text)
		if found.Name == "" && AskName.IsIn(asked) {
			found.Name = intent.BareName(found.Without(turn.Text))
		}
		all, latest, asked = all.With(found), latest.With(found), ""
	}
	return all, latest
}

// Asked reports whether an agent has said a phrase before.
func (d Dialogue) Asked(phrase Phrase) bool {
	return slices.ContainsFunc(d, func(turn Turn) bool { return !turn.Visitor && phrase.IsIn(turn.Text) })
}

// Points of a lead's score.
const (
	scoreWrote    = 10
	scoreName     = 15
	scoreEmail    = 25
	scorePhone    = 20
	scoreInterest = 20
	scoreEngaged  = 10
	engaged       = 3 // messages
)

// Score returns how promising a visitor is, 0 to 100, and why.
func (d Dialogue) Score() (score int, reason string) {
	all, _ := d.Details()
	score, texts := scoreWrote, d.Visitor()
	var left []string
	for _, one := range []struct {
		known  bool
		points int
		what   string
	}{{all.Name != "", scoreName, "a name"}, {all.Email != "", scoreEmail, "an email address"}, {all.Phone != "", scorePhone, "a phone number"}} {
		if one.known {
			score += one.points
			left = append(left, one.what)
		}
	}
	var reasons []string
	if len(left) > 0 {
		reasons = append(reasons, "left "+strings.Join(left, ", "))
	}
	if intent.ShowsInterest(texts...) {
		score += scoreInterest
		reasons = append(reasons, "shows interest in buying")
	}
	if len(texts) >= engaged {
		score += scoreEngaged
		reasons = append(reasons, fmt.Sprintf("wrote %d messages", len(texts)))
	}
	if len(reasons) == 0 {
		return score, "Wrote to us."
	}
	text := strings.Join(reasons, "; ")
	return score, strings.ToUpper(text[:1]) + text[1:] + "."
}

const (
	// mostQuoted is how many messages a summary quotes, and longestQuote how many runes of one.
	mostQuoted   = 3
	longestQuote = 160
)

// Summary returns what the conversation is about, for operators: who wrote, and the latest
// questions in the visitor's words.
func (d Dialogue) Summary() string {
	all, _ := d.Details()
	var b strings.Builder
	who := "A visitor"
	if all.Name != "" {
		who = all.Name
	}
	b.WriteString(who)
	if reach := slices.DeleteFunc([]string{all.Email, all.Phone}, func(one string) bool { return one == "" }); len(reach) > 0 {
		b.WriteString(" (" + strings.Join(reach, ", ") + ")")
	}
	quotes := d.quotes()
	if len(quotes) == 0 {
		b.WriteString(" wrote without a question.")
		return b.String()
	}
	b.WriteString(" wrote: " + strings.Join(quotes, " ") + ".")
	return b.String()
}

// quotes returns the latest questions and wishes of the visitor, oldest first.
func (d Dialogue) quotes() (quotes []string) {
	for i, turn := range slices.Backward(d) {
		if !turn.Visitor || len(quotes) == mostQuoted || i > 0 && AskName.IsIn(d[i-1].Text) && intent.BareName(turn.Text) != "" {
			continue
		}
		switch intent.Of(turn.Text) {
		case intent.Question, intent.Interest, intent.Person:
			quotes = append(quotes, "“"+Cut(strings.Join(strings.Fields(turn.Text), " "), longestQuote)+"”")
		case intent.Affirms, intent.Declines, intent.Greeting, intent.Thanks, intent.Farewell, intent.Introduction:
		}
	}
	slices.Reverse(quotes)
	return quotes
}

// Cut shortens a text to a number of runes.
func Cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}
