// Package scripted is a model provider for tests: it replies what a test says.
package scripted

import (
	"context"
	"sync"

	"github.com/avelto/convo/internal/domain/agent/model"
)

// Name is the provider's name.
const Name = "scripted"

// Reply returns the next message of the assistant.
type Reply func(ctx context.Context, request model.Request) (model.Response, error)

// Provider replies by a function, which may be replaced at any time.
type Provider struct {
	mu       sync.Mutex
	reply    Reply
	requests []model.Request
}

// New returns a provider that replies by a function.
func New(reply Reply) *Provider { return &Provider{reply: reply} }

// Says returns a Reply that is always the same text.
func Says(text string) Reply {
	return func(context.Context, model.Request) (model.Response, error) {
		return model.Response{Content: text}, nil
	}
}

// Script replaces the function.
func (p *Provider) Script(reply Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = reply
}

// Requests returns the requests so far.
func (p *Provider) Requests() []model.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]model.Request(nil), p.requests...)
}

// Chat implements model.Provider.
func (p *Provider) Chat(ctx context.Context, request model.Request) (model.Response, error) {
	p.mu.Lock()
	p.requests = append(p.requests, request)
	reply := p.reply
	p.mu.Unlock()
	return reply(ctx, request)
}

// Stream implements model.Provider.
func (p *Provider) Stream(ctx context.Context, request model.Request, part func(text string)) (model.Response, error) {
	response, err := p.Chat(ctx, request)
	if err == nil {
		part(response.Content)
	}
	return response, err
}

// Embed implements model.Provider.
func (*Provider) Embed(context.Context, string, []string) ([][]float32, error) {
	return nil, model.ErrUnavailable
}
