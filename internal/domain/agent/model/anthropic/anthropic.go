// Package anthropic is a model provider for Anthropic's messages API.
package anthropic

import (
	"cmp"
	"context"
	"net/http"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
)

// Name is the provider's name.
const Name = "anthropic"

const (
	// ownURL is the base URL of Anthropic, and version that of its API.
	ownURL  = "https://api.anthropic.com"
	version = "2023-06-01"
)

// Provider is the provider with the settings of a workspace.
type Provider struct {
	settings wire.Settings
	url      string
}

var _ model.Provider = (*Provider)(nil)

// New returns a provider.
func New(in wire.Settings) *Provider {
	return &Provider{settings: in, url: cmp.Or(in.BaseURL, ownURL) + "/v1/messages"}
}

func (p *Provider) header() http.Header {
	header := http.Header{}
	header.Set("Anthropic-Version", version)
	if p.settings.APIKey != "" {
		header.Set("X-Api-Key", p.settings.APIKey)
	}
	return header
}

// Chat implements model.Provider.
func (p *Provider) Chat(ctx context.Context, request model.Request) (model.Response, error) {
	var found message
	if err := wire.Post(ctx, p.settings.Client, p.url, p.header(), body(request), &found); err != nil {
		return model.Response{}, err
	}
	if found.StopReason == "" {
		return model.Response{}, wire.Malformed()
	}
	return found.response()
}

// Stream implements model.Provider.
func (p *Provider) Stream(ctx context.Context, request model.Request, part func(text string)) (model.Response, error) {
	asked := body(request)
	asked.Stream = true
	var whole message
	err := wire.Events(ctx, p.settings.Client, p.url, p.header(), asked, func(data []byte) error {
		var one event
		if err := wire.Decode(data, &one); err != nil {
			return err
		}
		if one.Delta.Text != "" {
			part(one.Delta.Text)
		}
		return whole.add(one)
	})
	if err != nil {
		return model.Response{}, err
	}
	if whole.StopReason == "" {
		return model.Response{}, wire.Cut()
	}
	return whole.response()
}

// Embed implements model.Provider.
func (*Provider) Embed(context.Context, string, []string) ([][]float32, error) {
	return nil, model.ErrUnavailable
}
