package runner

import api "github.com/avelto/convo/gen/api/model"

// drafts returns what shows drafts to the visitor; nil on channels where no one could see them.
func (a *attempt) drafts() func(text string) {
	if a.seen.of.ChannelType != api.ChannelTypeWEBSITE {
		return nil
	}
	return a.showDraft
}

// showDraft shows what the agent has written so far; an empty text removes it. A reply that is
// stored replaces a draft without that.
func (a *attempt) showDraft(text string) {
	if text == "" && !a.drafted {
		return
	}
	a.drafted = text != ""
	a.Conversations.Draft(a.run.ConversationID, text)
}
