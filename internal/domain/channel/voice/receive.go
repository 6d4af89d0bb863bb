package voice

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
)

// Receive implements provider.Provider: calls, what callers say, and the ends of calls.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	form, err := twilio.Verify(c, r)
	if err != nil {
		return provider.Received{}, err
	}
	settings, err := configOf(c)
	call := form.Get("CallSid")
	if err != nil || !callPattern.MatchString(call) {
		return provider.Received{}, fmt.Errorf("%w: no call", provider.ErrMalformed)
	}
	at := turnOf(r.Query)
	switch status := form.Get("CallStatus"); status {
	case "completed": // also what someone said as they hung up
		return provider.Received{Items: append(heard(form, call, at), provider.End{Thread: cmp.Or(at.thread, call)})}, nil
	case "busy", "no-answer", "failed", "canceled":
		return provider.Received{Items: unanswered(call, at, status)}, nil
	}
	switch r.Query.Get(eventKey) {
	case speechEvent:
		items := heard(form, call, at)
		following := at.next(form.Get("SpeechResult") != "")
		if following.quiet >= maxQuiet {
			return provider.Received{Items: items, Reply: twilio.Reply(hangUp)}, nil
		}
		return provider.Received{Items: items, Reply: twilio.Reply(settings.gather(c, following, ""))}, nil
	case relayEvent:
		return provider.Received{Items: heard(url.Values{}, call, at), Reply: twilio.Reply(settings.resume(c, at, form))}, nil
	case statusEvent: // ringing, answered, …
		return provider.Received{}, nil
	}
	first := turn{id: firstTurn}
	if settings.Mode == relay {
		first.id = call
	}
	return provider.Received{Reply: twilio.Reply(settings.listen(c, first, settings.Greeting))}, nil
}

// heard returns the message that was spoken in a turn, and what the caller said then.
func heard(form url.Values, call string, at turn) (items []provider.Item) {
	if at.said {
		items = append(items, provider.Status{ExternalID: saidID(call, at.id), Status: api.DeliveryStatusDELIVERED})
	}
	text := form.Get("SpeechResult")
	if text == "" || at.id == "" {
		return items
	}
	return append(items, provider.Message{
		ExternalID: heardID(call, at.id), From: caller(form, call), Text: text, Thread: cmp.Or(at.thread, call),
	})
}

// unanswered returns what it means that a call was not answered.
func unanswered(call string, at turn, status string) (items []provider.Item) {
	if at.said {
		items = []provider.Item{provider.Status{
			ExternalID: saidID(call, at.id), Status: api.DeliveryStatusFAILED, Code: status, Kind: provider.Blocked, Detail: "The call was not answered: " + status + ".",
		}}
	}
	return append(items, provider.End{Thread: cmp.Or(at.thread, call)})
}

// caller is who the channel talks to. Callers who hide their number are not known to be the
// same person.
func caller(form url.Values, call string) provider.Identity {
	number := form.Get("From")
	if strings.HasPrefix(form.Get("Direction"), "outbound") {
		number = form.Get("To")
	}
	if !twilio.Number.MatchString(number) || number == hiddenNumber {
		return provider.Identity{ExternalID: "call:" + call}
	}
	return twilio.Identity(number)
}

// hiddenNumber is what Twilio shows for callers without a number (it spells ANONYMOUS).
const hiddenNumber = "+266696687"
