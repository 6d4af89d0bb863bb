package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
)

const (
	// highestTemperature is that of this API, which is also its default. It is not sent: some
	// models accept none.
	highestTemperature = 1
	// opening is said for the visitor if we wrote first: a conversation begins with the user.
	opening = "(The visitor has not written yet.)"

	user      = "user"
	assistant = "assistant"
)

// request is the body of a request.
type request struct {
	Model       string   `json:"model"`
	MaxTokens   int      `json:"max_tokens"`
	Temperature *float64 `json:"temperature,omitempty"`
	System      []block  `json:"system,omitempty"`
	Messages    []turn   `json:"messages"`
	Tools       []tool   `json:"tools,omitempty"`
	Stream      bool     `json:"stream,omitempty"`
}

type turn struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// block is a part of a message: a text, a call of a tool (tool_use) or its result.
type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   string          `json:"content,omitempty"`
}

func body(in model.Request) request {
	asked := request{Model: in.Model, MaxTokens: in.MaxTokens}
	if in.Temperature < highestTemperature {
		asked.Temperature = &in.Temperature
	}
	for _, one := range in.Messages {
		switch one.Role {
		case model.System:
			asked.System = append(asked.System, text(one.Content)...)
		case model.User:
			asked.say(user, text(one.Content)...)
		case model.Tool:
			asked.say(user, block{Type: "tool_result", ToolUseID: one.CallID, Content: one.Content})
		case model.Assistant:
			asked.say(assistant, append(text(one.Content), calls(one.Calls)...)...)
		}
	}
	for _, one := range in.Tools {
		asked.Tools = append(asked.Tools, tool{one.Name, one.Description, one.Schema})
	}
	return asked
}

// say adds to the last message if it has the same role: roles take turns, and the results of
// all calls of a message are in the next one.
func (r *request) say(role string, blocks ...block) {
	if len(blocks) == 0 {
		return
	}
	if len(r.Messages) == 0 && role == assistant {
		r.Messages = append(r.Messages, turn{user, text(opening)})
	}
	if last := len(r.Messages) - 1; last >= 0 && r.Messages[last].Role == role {
		r.Messages[last].Content = append(r.Messages[last].Content, blocks...)
		return
	}
	r.Messages = append(r.Messages, turn{role, blocks})
}

// text returns a block; none for a text without visible characters, which the API rejects.
func text(content string) []block {
	if strings.TrimSpace(content) == "" {
		return nil
	}
	return []block{{Type: "text", Text: content}}
}

func calls(all []model.Call) (blocks []block) {
	for _, one := range all {
		input := one.Arguments
		if !json.Valid(input) {
			input = json.RawMessage("{}")
		}
		blocks = append(blocks, block{Type: "tool_use", ID: one.ID, Name: one.Name, Input: input})
	}
	return blocks
}

// message is a response.
type message struct {
	Content    []block `json:"content"`
	StopReason string  `json:"stop_reason"`
	Usage      usage   `json:"usage"`
}

// usage is what was read, from a cache or not, and written. Absent numbers stay.
type usage struct {
	InputTokens              int64 `json:"input_tokens"`
	CacheCreationInputTokens int64 `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64 `json:"cache_read_input_tokens"`
	OutputTokens             int64 `json:"output_tokens"`
}

// event is a part of a streamed message.
type event struct {
	Type         string  `json:"type"`
	Message      message `json:"message"`
	Index        int     `json:"index"`
	ContentBlock block   `json:"content_block"`
	Delta        struct {
		Text        string `json:"text"`
		PartialJSON string `json:"partial_json"`
		StopReason  string `json:"stop_reason"`
	} `json:"delta"`
	Usage usage `json:"usage"`
}

// add adds a part of a streamed message.
func (m *message) add(one event) error {
	switch one.Type {
	case "error":
		return &model.Error{Kind: model.Overloaded}
	case "message_start":
		m.Usage = one.Message.Usage
	case "content_block_start":
		one.ContentBlock.Input = nil // it follows in parts
		m.Content = append(m.Content, one.ContentBlock)
	case "content_block_delta":
		if one.Index < 0 || one.Index >= len(m.Content) {
			return wire.Malformed()
		}
		at := &m.Content[one.Index]
		at.Text += one.Delta.Text
		at.Input = append(at.Input, one.Delta.PartialJSON...)
	case "message_delta":
		m.StopReason, m.Usage.OutputTokens = one.Delta.StopReason, one.Usage.OutputTokens
	}
	return nil
}

func (m *message) response() (model.Response, error) {
	read := m.Usage.InputTokens + m.Usage.CacheCreationInputTokens + m.Usage.CacheReadInputTokens
	found := model.Response{Usage: wire.Usage(read, m.Usage.OutputTokens)}
	if m.StopReason == "refusal" {
		return found, wire.Refused()
	}
	for _, one := range m.Content {
		switch one.Type {
		case "text":
			found.Content += one.Text
		case "tool_use":
			found.Calls = append(found.Calls, model.Call{ID: one.ID, Name: one.Name, Arguments: one.Input})
		}
	}
	return found, nil
}
