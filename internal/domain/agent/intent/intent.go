// Package intent reads what a visitor wants from the words of a message, in English and
// Polish. It knows words, no grammar: what must never be missed, such as the wish to talk to
// a person, must not depend on a model.
package intent

import (
	"slices"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
)

// Kind is what a message is for.
type Kind string

// Kinds of messages.
const (
	// Question asks for something that the knowledge base may have.
	Question Kind = "question"
	// Person asks for a human.
	Person Kind = "person"
	// Affirms agrees to what was offered or asked.
	Affirms Kind = "affirms"
	// Declines refuses what was offered.
	Declines Kind = "declines"
	// Greeting, Thanks and Farewell say nothing else.
	Greeting Kind = "greeting"
	Thanks   Kind = "thanks"
	Farewell Kind = "farewell"
	// Introduction leaves contact details, and asks nothing.
	Introduction Kind = "introduction"
	// Interest says that the visitor would like to become a customer.
	Interest Kind = "interest"
)

// longestPhrase is how many words a greeting or a thanks has at most.
const longestPhrase = 6

// Of returns what a message is for.
func Of(text string) Kind {
	words := folded(text)
	switch {
	case asksForPerson(words):
		return Person
	case len(words) == 0:
		return Question
	case only(words, greetings):
		return Greeting
	case isFarewell(words):
		return Farewell
	case thanks.count(words) > 0 && len(words) <= longestPhrase && len(Topics(text)) <= 1 && !strings.Contains(text, "?"):
		return Thanks
	case affirming.has(words[0]) && len(words) <= 3 && len(Topics(text)) == 0:
		return Affirms
	case refusing.has(words[0]) && len(words) <= 3 && len(Topics(text)) == 0:
		return Declines
	}
	details := DetailsOf(text)
	rest := details.Without(text)
	switch {
	case interests.count(folded(rest)) > 0 && !strings.Contains(rest, "?"):
		return Interest
	case !details.IsEmpty() && len(Topics(rest)) == 0:
		return Introduction
	}
	return Question
}

func only(words []string, v vocabulary) bool {
	return len(words) <= longestPhrase && v.count(words) == len(words)
}

func isFarewell(words []string) bool {
	if len(words) > longestPhrase {
		return false
	}
	said := strings.Join(words, " ")
	return farewells.count(words) > 0 || strings.Contains(said, "that's all") || strings.Contains(said, "thats all") || strings.Contains(said, "to wszystko")
}

// asksForPerson reports whether words ask for a human. What a visitor does not want does not
// count, unless it is a machine.
func asksForPerson(words []string) bool {
	strong, weak := peopleNouns.count(words), someNouns.count(words)
	talks, wishes, denies := contactVerbs.count(words), wishes.count(words), negations.count(words)
	switch {
	case denies > 0:
		return machines.count(words) > 0 && (talks > 0 || wishes > 0)
	case strong > 0:
		return talks > 0 || wishes > 0 || len(words) <= 2 && shortPeople.count(words) > 0
	case weak > 0:
		return talks > 0 || len(words) <= 2 && shortPeople.count(words) > 0
	}
	return false
}

// Sentiment returns how visitors feel, by the words of all their messages.
func Sentiment(texts ...string) api.Sentiment {
	good, bad := 0, 0
	for _, text := range texts {
		words := folded(text)
		good, bad = good+positive.count(words), bad+negative.count(words)
	}
	switch {
	case good > bad:
		return api.SentimentPOSITIVE
	case bad > good:
		return api.SentimentNEGATIVE
	}
	return api.SentimentNEUTRAL
}

// ShowsInterest reports whether one of some messages says that the visitor would like to
// become a customer.
func ShowsInterest(texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return interests.count(folded(text)) > 0 })
}
