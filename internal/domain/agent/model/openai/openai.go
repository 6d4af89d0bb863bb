// Package openai is a model provider for OpenAI and every server with a compatible chat
// completions API, such as Azure OpenAI, vLLM, Ollama and llama.cpp.
package openai

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
)

// Name is the provider's name.
const Name = "openai"

// ownURL is the base URL of OpenAI.
const ownURL = "https://api.openai.com/v1"

// Provider is the provider with the settings of a workspace.
type Provider struct {
	settings wire.Settings
	base     string
	// native says that the server knows everything that OpenAI's does.
	native bool
}

var _ model.Provider = (*Provider)(nil)

// New returns a provider.
func New(in wire.Settings) *Provider {
	base := cmp.Or(in.BaseURL, ownURL)
	return &Provider{settings: in, base: base, native: isNative(base)}
}

// isNative reports whether a base URL is OpenAI's or Azure's.
func isNative(base string) bool {
	u, err := url.Parse(base)
	return err == nil && (u.Hostname() == "api.openai.com" || strings.HasSuffix(u.Hostname(), ".azure.com"))
}

func (p *Provider) header() http.Header {
	header := http.Header{}
	if p.settings.APIKey != "" {
		header.Set("Authorization", "Bearer "+p.settings.APIKey)
	}
	return header
}

// Chat implements model.Provider.
func (p *Provider) Chat(ctx context.Context, request model.Request) (model.Response, error) {
	var found completion
	if err := wire.Post(ctx, p.settings.Client, p.base+"/chat/completions", p.header(), p.body(request), &found); err != nil {
		return model.Response{}, err
	}
	return found.response()
}

// Stream implements model.Provider.
func (p *Provider) Stream(ctx context.Context, request model.Request, part func(text string)) (model.Response, error) {
	body := p.body(request)
	body.Stream, body.StreamOptions = true, &streamOptions{IncludeUsage: true}
	var whole completion
	err := wire.Events(ctx, p.settings.Client, p.base+"/chat/completions", p.header(), body, func(data []byte) error {
		var chunk completion
		if err := wire.Decode(data, &chunk); err != nil {
			return err
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			part(chunk.Choices[0].Delta.Content)
		}
		return whole.add(chunk)
	})
	if err != nil {
		return model.Response{}, err
	}
	if len(whole.Choices) == 0 || whole.Choices[0].FinishReason == "" {
		return model.Response{}, wire.Cut()
	}
	return whole.response()
}

// Embed implements model.Provider.
func (p *Provider) Embed(ctx context.Context, name string, texts []string) ([][]float32, error) {
	var found struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	body := map[string]any{"model": name, "input": texts, "encoding_format": "float"}
	if err := wire.Post(ctx, p.settings.Client, p.base+"/embeddings", p.header(), body, &found); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	for _, one := range found.Data {
		if one.Index < 0 || one.Index >= len(texts) {
			return nil, wire.Malformed()
		}
		vectors[one.Index] = one.Embedding
	}
	for _, vector := range vectors {
		if len(vector) == 0 {
			return nil, wire.Malformed()
		}
	}
	return vectors, nil
}
