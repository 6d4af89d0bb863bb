// Package model defines what agents expect of a language model, in terms of no provider.
// Nothing outside the packages of the providers knows a provider's wire format.
package model

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
)

// ErrUnavailable means that a provider is not set up: this server does not have it, or the
// workspace has no credentials for it.
var ErrUnavailable = errors.New("model: the provider is not set up")

// Provider is a provider of language models. Implementations are safe for concurrent use and
// keep no state of a conversation. They fail with *Error, and don't repeat calls.
type Provider interface {
	// Chat returns the next message of the assistant: a text, or calls of tools.
	Chat(ctx context.Context, request Request) (Response, error)
	// Stream is Chat that passes on parts of the text as they are written.
	Stream(ctx context.Context, request Request, part func(text string)) (Response, error)
	// Embed returns a vector for each text. It fails with ErrUnavailable if the provider has
	// no embeddings.
	Embed(ctx context.Context, model string, texts []string) ([][]float32, error)
}

// Role is who a message is from.
type Role string

// Roles of messages.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	// Tool is the result of a call.
	Tool Role = "tool"
)

// Message is a message of a conversation with a model.
type Message struct {
	Role    Role
	Content string
	// Calls are what an assistant wants to know or do.
	Calls []Call
	// CallID is the call that a message of the role Tool is the result of.
	CallID string
}

// Call is a call of a tool. Arguments are a JSON object; a model may write anything.
type Call struct {
	ID, Name  string
	Arguments json.RawMessage
}

// Definition is a tool that a model may call. Schema is the JSON Schema of its arguments.
type Definition struct {
	Name, Description string
	Schema            json.RawMessage
}

// Request is a request for the next message of the assistant.
type Request struct {
	Model       string
	Messages    []Message
	Tools       []Definition
	Temperature float64
	MaxTokens   int
}

// Response is the next message of the assistant, and what it has cost.
type Response struct {
	Content string
	Calls   []Call
	Usage   Usage
}

// Usage is how many tokens a call has read and written.
type Usage struct {
	InputTokens  int `json:"inputTokens"`
	OutputTokens int `json:"outputTokens"`
}

// Add returns the sum of two usages.
func (u Usage) Add(other Usage) Usage {
	return Usage{u.InputTokens + other.InputTokens, u.OutputTokens + other.OutputTokens}
}

// Source finds the provider that the agents of a workspace use by a name, with the workspace's
// credentials. It fails with ErrUnavailable or *Error.
type Source interface {
	Provider(ctx context.Context, workspaceID uuid.UUID, name string) (Provider, error)
}

// Registry is a Source of providers that need no credentials: all workspaces have them.
type Registry map[string]Provider

// Provider implements Source.
func (r Registry) Provider(_ context.Context, _ uuid.UUID, name string) (Provider, error) {
	if found, ok := r[name]; ok {
		return found, nil
	}
	return nil, ErrUnavailable
}
