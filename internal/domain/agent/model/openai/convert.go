package openai

import (
	"encoding/json"
	"fmt"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
)

const (
	// defaultTemperature is not sent to OpenAI: its reasoning models accept no other, and none.
	defaultTemperature = 1
	// maxCalls bounds the calls of a streamed message.
	maxCalls = 64
)

// chat is the body of a request.
type chat struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	Tools    []tool    `json:"tools,omitempty"`
	// Servers that are only compatible know max_tokens, which OpenAI's reasoning models reject.
	MaxTokens           int            `json:"max_tokens,omitempty"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitempty"`
	Temperature         *float64       `json:"temperature,omitempty"`
	Stream              bool           `json:"stream,omitempty"`
	StreamOptions       *streamOptions `json:"stream_options,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// message is a message of a request and of a response.
type message struct {
	Role       string  `json:"role,omitempty"`
	Content    string  `json:"content,omitempty"`
	Refusal    string  `json:"refusal,omitempty"`
	ToolCalls  []call  `json:"tool_calls,omitempty"`
	ToolCallID *string `json:"tool_call_id,omitempty"`
}

// call is a call of a tool. Its arguments are JSON in a text, or anything that the model wrote.
type call struct {
	Index    *int   `json:"index,omitempty"` // in streams
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

func (p *Provider) body(request model.Request) chat {
	body := chat{Model: request.Model}
	if p.native {
		body.MaxCompletionTokens = request.MaxTokens
	} else {
		body.MaxTokens = request.MaxTokens
	}
	if !p.native || request.Temperature != defaultTemperature {
		body.Temperature = &request.Temperature
	}
	for _, one := range request.Messages {
		body.Messages = append(body.Messages, messageOf(one))
	}
	for _, one := range request.Tools {
		body.Tools = append(body.Tools, tool{Type: "function", Function: function{one.Name, one.Description, one.Schema}})
	}
	return body
}

func messageOf(one model.Message) message {
	said := message{Role: string(one.Role), Content: one.Content}
	if one.Role == model.Tool {
		said.ToolCallID = &one.CallID
	}
	for _, asked := range one.Calls {
		made := call{ID: asked.ID, Type: "function"}
		made.Function.Name, made.Function.Arguments = asked.Name, string(asked.Arguments)
		said.ToolCalls = append(said.ToolCalls, made)
	}
	return said
}

// completion is a response, or a part of a streamed one.
type completion struct {
	Choices []choice `json:"choices"`
	Usage   struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
	} `json:"usage"`
}

type choice struct {
	Message      message `json:"message"`
	Delta        message `json:"delta"`
	FinishReason string  `json:"finish_reason"`
}

// add adds a part of a streamed response.
func (c *completion) add(part completion) error {
	if part.Usage.PromptTokens+part.Usage.CompletionTokens > 0 {
		c.Usage = part.Usage
	}
	if len(part.Choices) == 0 {
		return nil
	}
	if len(c.Choices) == 0 {
		c.Choices = make([]choice, 1)
	}
	whole, delta := &c.Choices[0], part.Choices[0].Delta
	whole.Message.Content += delta.Content
	whole.Message.Refusal += delta.Refusal
	if reason := part.Choices[0].FinishReason; reason != "" {
		whole.FinishReason = reason
	}
	for i, one := range delta.ToolCalls {
		at := i
		if one.Index != nil {
			at = *one.Index
		}
		if at < 0 || at >= maxCalls {
			return wire.Malformed()
		}
		for len(whole.Message.ToolCalls) <= at {
			whole.Message.ToolCalls = append(whole.Message.ToolCalls, call{})
		}
		made := &whole.Message.ToolCalls[at]
		made.ID += one.ID
		made.Function.Name += one.Function.Name
		made.Function.Arguments += one.Function.Arguments
	}
	return nil
}

// response reads a completion. Some compatible servers give calls no ID.
func (c *completion) response() (model.Response, error) {
	found := model.Response{Usage: wire.Usage(c.Usage.PromptTokens, c.Usage.CompletionTokens)}
	if len(c.Choices) == 0 {
		return found, wire.Malformed()
	}
	said := c.Choices[0].Message
	if c.Choices[0].FinishReason == "content_filter" || said.Refusal != "" {
		return found, wire.Refused()
	}
	found.Content = said.Content
	for i, one := range said.ToolCalls {
		if one.ID == "" {
			one.ID = fmt.Sprintf("call_%d", i)
		}
		found.Calls = append(found.Calls, model.Call{ID: one.ID, Name: one.Function.Name, Arguments: json.RawMessage(one.Function.Arguments)})
	}
	return found, nil
}
