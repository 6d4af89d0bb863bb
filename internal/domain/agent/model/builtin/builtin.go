// Package builtin is a model provider without a model: it replies with sentences of the
// passages that were found, and asks for contact details. It needs no key and no network,
// and never says what no passage says.
package builtin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/intent"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/tools"
	"github.com/avelto/convo/internal/platform/language"
)

// Name is the provider's name, and Model what its model is called where it replaces another.
const (
	Name  = "builtin"
	Model = "extractive"
)

// Provider is the provider. It has no state.
type Provider struct{}

var _ model.Provider = Provider{}

// Chat implements model.Provider. The result depends on the request alone.
func (Provider) Chat(_ context.Context, request model.Request) (model.Response, error) {
	talk, found := read(request.Messages)
	in := talk.Language()
	switch intent.Of(talk.Said()) {
	case intent.Greeting:
		return says(dialogue.Hello.In(in))
	case intent.Thanks:
		return says(dialogue.Welcome.In(in))
	case intent.Farewell:
		return model.Response{Content: dialogue.Goodbye.In(in), Calls: []model.Call{{ID: "end", Name: tools.EndConversation, Arguments: json.RawMessage("{}")}}}, nil
	case intent.Introduction:
		return says(acknowledge(talk, in))
	case intent.Interest:
		return says(interested(talk, found, in))
	case intent.Question, intent.Person, intent.Affirms, intent.Declines:
	}
	if _, latest := talk.Details(); !latest.IsEmpty() && len(found) == 0 {
		return says(acknowledge(talk, in))
	}
	if said := answer(talk.Question(), found); said != "" {
		return says(said)
	}
	if kind := intent.Of(talk.Said()); kind == intent.Affirms || kind == intent.Declines {
		return says(dialogue.HowElse.In(in))
	}
	return says(dialogue.Refusal.In(in))
}

func says(text string) (model.Response, error) { return model.Response{Content: text}, nil }

// Stream implements model.Provider.
func (p Provider) Stream(ctx context.Context, request model.Request, part func(text string)) (model.Response, error) {
	response, err := p.Chat(ctx, request)
	if err == nil {
		part(response.Content)
	}
	return response, err
}

// Embed implements model.Provider.
func (Provider) Embed(context.Context, string, []string) ([][]float32, error) {
	return nil, model.ErrUnavailable
}

// read returns the conversation of a request, and the passages that were found since the last
// message of the visitor.
func read(messages []model.Message) (talk dialogue.Dialogue, found []tools.FoundPassage) {
	for _, one := range messages {
		switch one.Role {
		case model.User:
			talk, found = append(talk, dialogue.Turn{Visitor: true, Text: one.Content}), nil
		case model.Assistant:
			if one.Content != "" {
				talk = append(talk, dialogue.Turn{Text: one.Content})
			}
		case model.Tool:
			var result tools.Found
			if json.Unmarshal([]byte(one.Content), &result) == nil {
				found = append(found, result.Passages...)
			}
		case model.System:
		}
	}
	return talk, found
}

// acknowledge thanks for contact details, and asks for those that are missing.
func acknowledge(talk dialogue.Dialogue, in language.Language) string {
	all, _ := talk.Details()
	thanks := dialogue.Noted.In(in)
	if first, _, _ := strings.Cut(all.Name, " "); first != "" {
		thanks = strings.TrimSuffix(thanks, ".") + ", " + first + "."
	}
	if next := ask(talk, in); next != "" {
		return thanks + " " + next
	}
	return thanks + " " + dialogue.Done.In(in)
}

// ask returns the next question for contact details that was not asked yet; empty if there is
// none.
func ask(talk dialogue.Dialogue, in language.Language) string {
	all, _ := talk.Details()
	for _, slot := range []struct {
		known    string
		question dialogue.Phrase
	}{{all.Name, dialogue.AskName}, {all.Email, dialogue.AskEmail}, {all.Phone, dialogue.AskPhone}} {
		if slot.known == "" && !talk.Asked(slot.question) {
			return slot.question.In(in)
		}
	}
	return ""
}

// interested replies to someone who would like to become a customer.
func interested(talk dialogue.Dialogue, found []tools.FoundPassage, in language.Language) string {
	parts := []string{answer(talk.Question(), found), ask(talk, in)}
	if parts[0] == "" {
		parts[0] = dialogue.Interested.In(in)
	}
	if parts[1] == "" {
		parts[1] = dialogue.Done.In(in)
	}
	return strings.Join(slices.DeleteFunc(parts, func(one string) bool { return one == "" }), " ")
}
