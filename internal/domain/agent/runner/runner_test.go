package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/language"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestAnAgentAnswersWithACitation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	v := f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE)
	received := f.writes(t, v, "Do you deliver shoes to Norway?")
	f.run(t)
	run := f.ended(t, received.Conversation.ID, 1)[0]
	require.Equal(t, api.AgentRunOutcomeANSWERED, *run.Outcome)
	require.Equal(t, received.Message.ID, run.MessageID)
	require.Equal(t, []string{"We do. [1]"}, f.replies(t, received.Conversation.ID))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM outbound_messages WHERE message_id = $1", *run.ReplyID), "it is queued for sending")
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM conversations WHERE id = $1 AND sentiment = 'NEUTRAL' AND summary IS NULL", received.Conversation.ID))

	events := f.Events(t, f.Ours)
	require.Equal(t, []api.EventType{
		api.EventTypeContactCreated, api.EventTypeConversationCreated, api.EventTypeMessageCreated, api.EventTypeMessageCreated,
	}, types(events))
	said := seed.Read[struct{ Message api.Message }](t, events[3]).Message
	require.Equal(t, api.MessageAuthorTypeAGENT, said.Author.Type)
	require.Equal(t, "Delivery", (*said.Citations)[0].Title)
	require.Equal(t, "We deliver shoes to Norway within 6 days.", (*said.Citations)[0].Quote)
}

func TestOtherChannelsSayThatAnAIRepliesAndWhatIsCited(t *testing.T) {
	t.Parallel()
	f := setup(t)
	v := f.visitor(t, f.Ours, f.agent, api.ChannelTypeTELEGRAM)
	received := f.writes(t, v, "Do you deliver shoes to Norway?")
	f.run(t)
	f.ended(t, received.Conversation.ID, 1)
	f.writes(t, v, "Do you deliver shoes to Norway?")
	f.ended(t, received.Conversation.ID, 2)
	require.Equal(t, []string{
		dialogue.Notice.In(language.English) + "\n\nWe do. [1]\n\n[1] Delivery", "We do. [1]\n\n[1] Delivery",
	}, f.replies(t, received.Conversation.ID))
}

func TestWhatIsNotForTheAgentHasNoRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runs := func() int { return f.Count(t, "SELECT count(*) FROM agent_runs") }
	f.receives(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeEMAIL), provider.Message{Text: "I am out of office.", Automatic: true})
	require.Zero(t, runs(), "a machine wrote it")
	draft := f.newAgent(t, f.Ours, scripted.Name)
	f.Exec(t, "UPDATE agents SET status = 'DRAFT' WHERE id = $1", draft)
	f.writes(t, f.visitor(t, f.Ours, draft, api.ChannelTypeWEBSITE), "Hello")
	require.Zero(t, runs(), "the agent is not published")
	v := f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE)
	received := f.writes(t, v, "Hello")
	f.writes(t, v, "Are you there?")
	require.Equal(t, 1, runs(), "one for both messages")
	_, err := f.conversations.HandOff(t.Context(), f.DB, f.Ours, received.Conversation.ID, conversation.HandOff{})
	require.NoError(t, err)
	f.Exec(t, "DELETE FROM agent_runs")
	f.writes(t, v, "Hello?")
	require.Zero(t, runs(), "operators have the conversation")
}

// hold makes the model wait until release is called, and returns how often it was called.
func (f *fixture) hold() (calls *atomic.Int32, release func()) {
	calls, released := new(atomic.Int32), make(chan struct{})
	f.models.Script(func(ctx context.Context, _ model.Request) (model.Response, error) {
		calls.Add(1)
		select {
		case <-released:
			return model.Response{Content: "We do. [1]"}, nil
		case <-ctx.Done():
			return model.Response{}, ctx.Err()
		}
	})
	return calls, func() { close(released) }
}

func TestAReplyIsDroppedIfAnOperatorTakesOver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	calls, release := f.hold()
	received := f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	f.run(t)
	f.eventually(t, func() bool { return calls.Load() == 1 })
	_, err := f.conversations.HandOff(t.Context(), f.DB, f.Ours, received.Conversation.ID, conversation.HandOff{})
	require.NoError(t, err, "the run holds no lock while the model is called")
	release()
	run := f.ended(t, received.Conversation.ID, 1)[0]
	require.Equal(t, api.AgentRunOutcomeDROPPED, *run.Outcome)
	require.Equal(t, string(api.AgentRunReasonTakenOver), *run.Reason)
	require.Empty(t, f.replies(t, received.Conversation.ID))
}

func TestAReplyIsDroppedIfTheVisitorWritesAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	calls, release := f.hold()
	v := f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE)
	received := f.writes(t, v, "Do you deliver shoes to Norway?")
	f.run(t)
	f.eventually(t, func() bool { return calls.Load() == 1 })
	f.writes(t, v, "I mean boots or shoes.")
	release()
	f.ended(t, received.Conversation.ID, 1)
	require.Equal(t, []string{"We do. [1]"}, f.replies(t, received.Conversation.ID), "one reply to both messages")
	requests := f.models.Requests()
	require.Len(t, requests, 2)
	last := requests[1].Messages
	require.Equal(t, "I mean boots or shoes.", last[2].Content)
}

func TestADeadlineHandsOffWithANotice(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for kind, wait := range map[api.ChannelType]time.Duration{api.ChannelTypeWEBSITE: 90 * time.Second, api.ChannelTypeEMAIL: 3 * time.Minute} {
		received := f.writes(t, f.visitor(t, f.Ours, f.agent, kind), "Do you deliver shoes to Norway?")
		f.Clock.Advance(wait)
		stop := f.run(t)
		run := f.ended(t, received.Conversation.ID, 1)[0]
		stop()
		require.Equal(t, api.AgentRunOutcomeHANDEDOFF, *run.Outcome, kind)
		require.Equal(t, string(api.AgentRunReasonDeadline), *run.Reason)
		require.Equal(t, api.ConversationStatusHANDEDOFF, f.status(t, received.Conversation.ID))
		require.Contains(t, f.replies(t, received.Conversation.ID)[0], dialogue.HandingOffLate.In(language.English))
	}
	events := f.Events(t, f.Ours)
	last := seed.Read[struct{ Reason, Summary string }](t, events[len(events)-1])
	require.Equal(t, "The agent did not reply in time.", last.Reason)
	require.Contains(t, last.Summary, "“Do you deliver shoes to Norway?”")
}

// TestRunsOfADeadProcessAreContinued ends processes while they wait for the model.
func TestRunsOfADeadProcessAreContinued(t *testing.T) {
	t.Parallel()
	f := setup(t)
	received := f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	f.Exec(t, "UPDATE agent_runs SET lease = gen_random_uuid(), leased_until = $1, tries = 1", f.Clock.Now().Add(15*time.Second))
	f.run(t)
	other := f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	f.ended(t, other.Conversation.ID, 1)
	require.Empty(t, f.replies(t, received.Conversation.ID), "its lease has not ended")
	f.Clock.Advance(16 * time.Second)
	require.Equal(t, api.AgentRunOutcomeANSWERED, *f.ended(t, received.Conversation.ID, 1)[0].Outcome)
	require.Len(t, f.replies(t, received.Conversation.ID), 1)
}

func TestRunsThatKeepCrashingAreHandedOff(t *testing.T) {
	t.Parallel()
	f := setup(t)
	received := f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	f.Exec(t, "UPDATE agent_runs SET tries = 3")
	f.run(t)
	require.Equal(t, string(api.AgentRunReasonRepeatedCrashes), *f.ended(t, received.Conversation.ID, 1)[0].Reason)
	require.Empty(t, f.models.Requests())
}

// TestAStopGivesRunsBack ends a process while the model is called.
func TestAStopGivesRunsBack(t *testing.T) {
	t.Parallel()
	f := setup(t)
	calls, release := f.hold()
	received := f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	stop := f.run(t)
	f.eventually(t, func() bool { return calls.Load() == 1 })
	stop()
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM agent_runs WHERE lease IS NULL AND outcome IS NULL"))
	require.Empty(t, f.replies(t, received.Conversation.ID))
	release()
	f.run(t)
	require.Equal(t, api.AgentRunOutcomeANSWERED, *f.ended(t, received.Conversation.ID, 1)[0].Outcome)
}

// TestSlowModelsDelayNoOtherWorkspace lets the model of one workspace hang, with two processes.
func TestSlowModelsDelayNoOtherWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	calls, _ := f.hold()
	for range 20 {
		f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	}
	f.run(t)
	f.run(t)
	f.eventually(t, func() bool { return calls.Load() == 8 })
	theirs := f.writes(t, f.visitor(t, f.Theirs, f.newAgent(t, f.Theirs, "builtin"), api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
	require.Equal(t, api.AgentRunOutcomeANSWERED, *f.ended(t, theirs.Conversation.ID, 1)[0].Outcome)
	require.Equal(t, int32(8), calls.Load(), "a workspace has a share in all processes")
}

func TestOnlyTheOwnKnowledgeBaseIsSearched(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.teach(t, f.Theirs, "Secrets", "The password of the warehouse is tulip.")
	received := f.writes(t, f.visitor(t, f.Ours, f.newAgent(t, f.Ours, "builtin"), api.ChannelTypeWEBSITE), "What is the password of the warehouse?")
	f.run(t)
	require.Equal(t, api.AgentRunOutcomeREFUSED, *f.ended(t, received.Conversation.ID, 1)[0].Outcome)
}
