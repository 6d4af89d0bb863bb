// Package reply decides what an agent replies in a conversation: it finds passages, calls the
// model with its tools, and checks what comes back. It stores nothing, so that the same code
// serves conversations and previews.
package reply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/intent"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/builtin"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/agent/tools"
	"github.com/avelto/convo/internal/platform/language"
)

// maxSteps is how often a run calls the model.
const maxSteps = 6

// Engine replies.
type Engine struct {
	Models model.Source
	// Ledger keeps calls of models within budgets; nil in tests of replies.
	Ledger *spending.Ledger
	// Search finds passages that answer a question in the knowledge base of a workspace.
	Search func(ctx context.Context, workspaceID uuid.UUID, question string) ([]tools.Passage, error)
}

// Input is what to reply to.
type Input struct {
	WorkspaceID uuid.UUID
	Agent       db.Agent
	// RunID is the run, and EvaluationID the evaluation, that needs the reply; nil for previews.
	RunID, EvaluationID *uuid.UUID
	Dialogue            dialogue.Dialogue
	// Draft is called with what the model has written so far; nil if no one wants to see it.
	Draft func(text string)
}

// Reply is what an agent does in its turn.
type Reply struct {
	Outcome api.AgentRunOutcome
	// Reason is nil if the agent answers.
	Reason    *api.AgentRunReason
	Text      string
	Citations []api.Citation
	// Lead is nil if the visitor cannot be reached yet.
	Lead *Lead
	// Summary is empty unless the conversation is handed off or ended.
	Summary   string
	Sentiment api.Sentiment
	Steps     int
	Usage     model.Usage
	// Builtin says that the builtin model replied in place of the agent's.
	Builtin bool
}

// Lead is what is known about a visitor. Latest are the fields that what was replied to has
// added; the others may have been corrected by a person meanwhile.
type Lead struct {
	Fields, Latest map[string]string
	Score          int
	Reason         string
}

// Reply returns the reply to a conversation. Once ctx ends, or if the model fails, it is a
// hand-off. An error is one of the search, and may pass.
func (e *Engine) Reply(ctx context.Context, in Input) (Reply, error) {
	t := &turn{Engine: e, in: in, said: in.Dialogue.Said(), question: in.Dialogue.Question(), language: in.Dialogue.Language()}
	t.session = tools.NewSession(func(ctx context.Context, query string) ([]tools.Passage, error) {
		return e.Search(ctx, in.WorkspaceID, query)
	})
	if err := t.run(ctx); err != nil {
		return Reply{}, err
	}
	t.reply.Sentiment = intent.Sentiment(in.Dialogue.Visitor()...)
	t.reply.Lead = leadOf(in.Dialogue, t.session.Lead)
	return t.reply, nil
}

// Late is the reply of an agent that could not reply in time, or at all.
func Late(talk dialogue.Dialogue, reason api.AgentRunReason) Reply {
	return Reply{
		Outcome: api.AgentRunOutcomeHANDEDOFF, Reason: &reason, Text: dialogue.HandingOffLate.In(talk.Language()),
		Summary: talk.Summary(), Sentiment: intent.Sentiment(talk.Visitor()...), Lead: leadOf(talk, nil),
	}
}

// turn is a Reply in progress.
type turn struct {
	*Engine

	in       Input
	said     string
	question string
	language language.Language
	session  *tools.Session
	reply    Reply
}

// run decides what needs no model, and else asks the model.
func (t *turn) run(ctx context.Context) error {
	kind := intent.Of(t.said)
	if kind == intent.Affirms && dialogue.Refusal.IsIn(t.in.Dialogue.LastReply()) {
		kind = intent.Person
	}
	if kind == intent.Person {
		t.handOff(api.AgentRunReasonVisitorRequest, dialogue.HandingOff)
		return nil
	}
	numbers, err := t.find(ctx, kind)
	if err != nil {
		if ctx.Err() != nil {
			t.late(api.AgentRunReasonDeadline)
			return nil //nolint:nilerr // the time is over, which a person takes care of
		}
		return err
	}
	if kind == intent.Question && len(numbers) == 0 && !t.introduces() {
		t.refuse()
		return nil
	}
	return t.ask(ctx, numbers)
}

// introduces reports whether the message leaves contact details, such as a name in response to
// a question for it.
func (t *turn) introduces() bool {
	_, latest := t.in.Dialogue.Details()
	return !latest.IsEmpty()
}

// find searches for what the visitor asks. A question that says little is understood with the
// one before.
func (t *turn) find(ctx context.Context, kind intent.Kind) ([]int, error) {
	if kind != intent.Question && kind != intent.Interest {
		return nil, nil
	}
	numbers, err := t.session.Find(ctx, t.question)
	const fewTopics = 2
	if err != nil || len(numbers) > 0 || kind != intent.Question || len(intent.Topics(t.question)) > fewTopics || t.introduces() {
		return numbers, err
	}
	earlier := t.in.Dialogue.Earlier()
	if earlier == "" || dialogue.Refusal.IsIn(t.in.Dialogue.LastReply()) {
		return nil, nil
	}
	return t.session.Find(ctx, earlier+"\n"+t.question)
}

// refuse says that there is no answer. The second time in a row, a person is to find one.
func (t *turn) refuse() {
	if dialogue.Refusal.IsIn(t.in.Dialogue.LastReply()) {
		t.handOff(api.AgentRunReasonNoEvidence, dialogue.HandingOffUnknown)
		return
	}
	t.reply.Outcome, t.reply.Reason = api.AgentRunOutcomeREFUSED, new(api.AgentRunReasonNoEvidence)
	t.reply.Text = dialogue.Refusal.In(t.language)
}

func (t *turn) handOff(why api.AgentRunReason, say dialogue.Phrase) {
	t.reply.Outcome, t.reply.Reason = api.AgentRunOutcomeHANDEDOFF, new(why)
	t.reply.Text, t.reply.Citations = say.In(t.language), nil
	t.reply.Summary = t.summary()
}

func (t *turn) late(why api.AgentRunReason) { t.handOff(why, dialogue.HandingOffLate) }

// summary is the model's, else one of the visitor's own words.
func (t *turn) summary() string {
	if t.session.Summary != "" {
		return t.session.Summary
	}
	return t.in.Dialogue.Summary()
}

// ask calls the model until it replies.
func (t *turn) ask(ctx context.Context, numbers []int) error {
	provider, err := t.Models.Provider(ctx, t.in.WorkspaceID, t.in.Agent.ModelProvider)
	if err != nil {
		t.late(Explain(ctx, err))
		return nil
	}
	request := t.request(numbers)
	for t.reply.Steps < maxSteps {
		t.reply.Steps++
		response, err := t.chat(ctx, provider, request)
		if t.fallsBack(err) {
			provider, t.reply.Steps = builtin.Provider{}, t.reply.Steps-1
			continue
		}
		if err != nil {
			t.late(Explain(ctx, err))
			return nil
		}
		if len(response.Calls) == 0 {
			t.accept(response.Content)
			return nil
		}
		if request.Messages, err = t.call(ctx, request.Messages, response); err != nil {
			return err
		}
		if t.session.HandedOff || t.session.Ended {
			t.decided(response.Content)
			return nil
		}
	}
	t.late(api.AgentRunReasonStepLimit)
	return nil
}

// fallsBack reports whether the builtin model is to reply, because of a budget.
func (t *turn) fallsBack(err error) bool {
	refused, ok := errors.AsType[*spending.RefusedError](err)
	t.reply.Builtin = t.reply.Builtin || ok && refused.Instead == api.ModelBudgetExceededBUILTIN
	return ok && t.reply.Builtin
}

// chat calls the model, and again if the provider has no capacity for a moment.
func (t *turn) chat(ctx context.Context, provider model.Provider, request model.Request) (model.Response, error) {
	for n := 1; ; n++ {
		response, err := t.Call(ctx, t.in, t.drafted(provider), request)
		t.reply.Usage = t.reply.Usage.Add(response.Usage)
		pause, again := model.Pause(ctx, err, n)
		if !again {
			return response, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return response, err
		case <-timer.C:
		}
	}
}

// Call calls a model within the budgets of an agent. The builtin model costs nothing.
func (e *Engine) Call(ctx context.Context, in Input, provider model.Provider, request model.Request) (model.Response, error) {
	if e.Ledger == nil || isFree(provider) {
		return provider.Chat(ctx, request)
	}
	return e.Ledger.Chat(ctx, spending.Caller{WorkspaceID: in.WorkspaceID, Agent: in.Agent, RunID: in.RunID, EvaluationID: in.EvaluationID}, provider, request)
}

// maxCalls bounds the calls of one step; more are not carried out.
const maxCalls = 8

// call carries out calls of the model, and returns the messages with their results.
func (t *turn) call(ctx context.Context, messages []model.Message, response model.Response) ([]model.Message, error) {
	response.Calls = response.Calls[:min(len(response.Calls), maxCalls)]
	messages = append(messages, model.Message{Role: model.Assistant, Content: response.Content, Calls: response.Calls})
	for _, one := range response.Calls {
		result, err := t.session.Run(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("call %s: %w", one.Name, err)
		}
		messages = append(messages, result)
	}
	return messages, nil
}

// decided ends the turn as the model has decided.
func (t *turn) decided(content string) {
	if t.session.HandedOff {
		t.handOff(api.AgentRunReasonModelDecision, dialogue.HandingOff)
		return
	}
	t.accept(content)
	if t.reply.Text == "" || t.reply.Outcome == api.AgentRunOutcomeHANDEDOFF {
		t.reply.Text = dialogue.Goodbye.In(t.language)
	}
	t.reply.Outcome, t.reply.Reason, t.reply.Summary = api.AgentRunOutcomeENDED, new(api.AgentRunReasonModelDecision), t.summary()
}

// accept takes over the text of the model.
func (t *turn) accept(content string) {
	if dialogue.Refusal.IsIn(content) {
		t.refuse()
		return
	}
	t.reply.Text, t.reply.Citations = cite(content, t.session)
	if t.reply.Text == "" {
		t.late(api.AgentRunReasonModelFailed)
		return
	}
	t.reply.Outcome = api.AgentRunOutcomeANSWERED
}

// leadOf returns what is known about the visitor, once there is a way to reach them: what is
// written in the messages, and what the model has recorded, which may be nil.
func leadOf(talk dialogue.Dialogue, recorded *tools.Lead) *Lead {
	all, latest := talk.Details()
	lead := &Lead{Fields: all.Fields(), Latest: latest.Fields()}
	lead.Score, lead.Reason = talk.Score()
	if recorded != nil {
		for name, value := range recorded.Fields {
			lead.Fields[name], lead.Latest[name] = value, value
		}
		if recorded.Score != nil {
			lead.Score, lead.Reason = *recorded.Score, recorded.Reason
		}
	}
	if lead.Fields["email"] == "" && lead.Fields["phone"] == "" {
		return nil
	}
	return lead
}
