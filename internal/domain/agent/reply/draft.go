package reply

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/builtin"
	"github.com/avelto/convo/internal/domain/agent/tools"
)

// draftEvery is the time between two drafts: what a model writes meanwhile is in the next one.
const draftEvery = 200 * time.Millisecond

// drafting is a provider that passes on what it writes.
type drafting struct {
	model.Provider

	session *tools.Session
	draft   func(text string)
}

// drafted returns a provider that passes on drafts, if someone wants to see them. The builtin
// model has none: it writes everything immediately.
func (t *turn) drafted(provider model.Provider) model.Provider {
	if t.in.Draft == nil || isFree(provider) {
		return provider
	}
	return drafting{provider, t.session, t.in.Draft}
}

func isFree(provider model.Provider) bool {
	_, free := provider.(builtin.Provider)
	return free
}

// Chat implements model.Provider. What is written before calls of tools is no reply.
func (d drafting) Chat(ctx context.Context, request model.Request) (model.Response, error) {
	var written strings.Builder
	last := time.Now()
	response, err := d.Stream(ctx, request, func(text string) {
		if written.Len()+len(text) <= maxText {
			written.WriteString(text)
		}
		if now := time.Now(); now.Sub(last) >= draftEvery {
			last = now
			d.draft(draftOf(written.String(), d.session))
		}
	})
	if err != nil || len(response.Calls) > 0 {
		d.draft("")
	}
	return response, err
}

// draftOf returns what a visitor may see of a text that is being written: whole words, without
// what a reply must not have. The last word may be the beginning of an address, and what begins
// with a bracket that of a link.
func draftOf(written string, session *tools.Session) string {
	if end := strings.LastIndexFunc(written, unicode.IsSpace); end >= 0 {
		written = written[:end]
	} else {
		return ""
	}
	if open := strings.LastIndex(written, "["); open >= 0 && !strings.Contains(written[open:], "]") {
		written = written[:open]
	}
	text, _ := cite(written, session)
	return text
}
