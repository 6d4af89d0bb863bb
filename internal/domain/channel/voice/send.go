package voice

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
)

// Send implements provider.Provider: it speaks a text on the call, and then listens. If the
// call has ended, it calls the contact back for an operator, but not for an agent.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	settings, err := configOf(c)
	if err != nil {
		return provider.Sent{}, &provider.SendError{Kind: provider.Credentials, Detail: "The settings of the channel are invalid.", Cause: err}
	}
	at := turn{id: m.Key, said: true, thread: m.Thread}
	twiml := settings.listen(c, at, m.Text)
	if len([]rune(twiml)) > maxTwiML {
		return provider.Sent{}, &provider.SendError{Kind: provider.Permanent, Detail: "The text is too long to be spoken."}
	}
	if call := latestCall(m); call != "" {
		err := twilio.Post(ctx, p.Client, c, "/Calls/"+call+".json", url.Values{"Twiml": {twiml}}, &struct{}{})
		if !ended(err) {
			return provider.Sent{ExternalIDs: []string{saidID(call, m.Key)}}, err
		}
		if m.Automatic {
			return provider.Sent{}, &provider.SendError{Kind: provider.WindowClosed, Code: twilio.CodeCallEnded, Detail: "The call has ended."}
		}
	}
	return p.call(ctx, c, settings.From, m, at, twiml)
}

// call calls a contact.
func (p *Provider) call(ctx context.Context, c provider.Channel, from string, m provider.Outbound, at turn, twiml string) (provider.Sent, error) {
	if !twilio.Number.MatchString(m.To) {
		return provider.Sent{}, &provider.SendError{Kind: provider.Blocked, Detail: "The number of the contact is not known."}
	}
	var created struct {
		SID string `json:"sid"`
	}
	err := twilio.Post(ctx, p.Client, c, "/Calls.json", url.Values{
		"To": {m.To}, "From": {from}, "Twiml": {twiml}, "StatusCallback": {at.url(c, statusEvent)}, "StatusCallbackEvent": {"completed"},
	}, &created)
	if err != nil {
		return provider.Sent{}, err
	}
	if created.SID == "" {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "Twilio's response names no call.", Ambiguous: true}
	}
	return provider.Sent{ExternalIDs: []string{saidID(created.SID, m.Key)}, Thread: created.SID}, nil
}

// ended reports whether an error of Twilio says that a call is over.
func ended(err error) bool {
	failed, ok := errors.AsType[*provider.SendError](err)
	return ok && (failed.Code == twilio.CodeCallEnded || failed.Code == twilio.CodeNotFound)
}

// latestCall is the call of the conversation's last message: the thread names the first one.
func latestCall(m provider.Outbound) string {
	for _, reference := range slices.Backward(m.References) {
		if call, _, ok := strings.Cut(reference, ":"); ok && callPattern.MatchString(call) {
			return call
		}
	}
	if callPattern.MatchString(m.Thread) {
		return m.Thread
	}
	return ""
}
