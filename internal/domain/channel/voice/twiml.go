package voice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
)

// Query parameters of the URLs that Twilio calls. It signs them with the rest.
const (
	eventKey    = "event"
	speechEvent = "speech"
	statusEvent = "status"
	relayEvent  = "relay"

	turnKey   = "turn"
	saidKey   = "said"
	quietKey  = "quiet"
	threadKey = "thread"
)

const (
	firstTurn = "0"
	// silence is how long Twilio waits for someone to speak, in seconds, and maxQuiet after
	// how many of these the call is hung up, so that a forgotten one does not cost for hours.
	silence  = 15
	maxQuiet = 40
	// turnLength is how many bytes of a hash name a turn.
	turnLength = 9

	header = `<?xml version="1.0" encoding="UTF-8"?>`
	hangUp = header + "<Response><Hangup/></Response>"
)

var callPattern = regexp.MustCompile(`^CA[0-9a-f]{32}$`)

// turn is one wait for the caller to speak. A request that Twilio sends again is of the same
// turn.
type turn struct {
	id string
	// said says that a message with the key id is spoken first.
	said bool
	// quiet counts the turns before this one in which no one spoke.
	quiet int
	// thread is that of the conversation if it began with another call.
	thread string
}

// turnOf reads the turn that a request is about.
func turnOf(query url.Values) turn {
	quiet, _ := strconv.Atoi(query.Get(quietKey))
	return turn{id: query.Get(turnKey), said: query.Has(saidKey), quiet: quiet, thread: query.Get(threadKey)}
}

// next is the turn after this one.
func (t turn) next(spoken bool) turn {
	sum := sha256.Sum256([]byte(t.id))
	following := turn{id: hex.EncodeToString(sum[:turnLength]), thread: t.thread}
	if !spoken {
		following.quiet = t.quiet + 1
	}
	return following
}

// url is what Twilio calls about the turn.
func (t turn) url(c provider.Channel, event string) string {
	query := url.Values{eventKey: {event}, turnKey: {t.id}}
	if t.said {
		query.Set(saidKey, "1")
	}
	if t.quiet > 0 {
		query.Set(quietKey, strconv.Itoa(t.quiet))
	}
	if t.thread != "" {
		query.Set(threadKey, t.thread)
	}
	return twilio.HookURL(c, query)
}

// listen returns the TwiML that says a text, if there is one, and waits for the caller to
// speak. Who speaks meanwhile interrupts the text.
func (s config) listen(c provider.Channel, at turn, text string) string {
	if s.Mode == relay && at.quiet < maxRelays {
		return s.relay(c, at, text)
	}
	return s.gather(c, at, text)
}

// gather listens by <Gather>.
func (s config) gather(c provider.Channel, at turn, text string) string {
	var say string
	if text != "" {
		voice := ""
		if s.Voice != "" {
			voice = ` voice="` + escape(s.Voice) + `"`
		}
		say = fmt.Sprintf(`<Say language="%s"%s>%s</Say>`, escape(s.Language), voice, escape(text))
	}
	return fmt.Sprintf(`%s<Response><Gather input="speech" action="%s" method="POST" language="%s" timeout="%d" speechTimeout="auto" actionOnEmptyResult="true">%s</Gather></Response>`,
		header, escape(at.url(c, speechEvent)), escape(s.Language), silence, say)
}

// escape returns a text as XML shows it unchanged. Characters that XML lacks are replaced.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}

// saidID names a message that was spoken on a call, and heardID one of the caller.
func saidID(call, key string) string { return call + ":said:" + key }

func heardID(call, turnID string) string { return call + ":" + turnID }
