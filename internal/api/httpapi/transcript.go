package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/conversation"
)

// streamBuffer is how much of a streamed response is collected before it is written, in
// bytes.
const streamBuffer = 32 << 10

// transcriptStream is the response of getConversation. It writes messages as they are
// read, so that a long transcript needs no more memory than a short one. An error on the
// way breaks the connection (see middleware.Begin).
type transcriptStream func(w http.ResponseWriter) error

// VisitGetConversationResponse implements api.GetConversationResponseObject.
func (s transcriptStream) VisitGetConversationResponse(w http.ResponseWriter) error { return s(w) }

// withoutMessages is a conversation whose messages are not encoded.
type withoutMessages struct {
	api.ConversationDetail

	Messages *struct{} `json:"messages,omitempty"` // hides the embedded property
}

// newTranscriptStream reads the first messages, so that a failing database gives an error
// response instead of a broken connection.
func newTranscriptStream(ctx context.Context, detail conversation.Detail) (api.GetConversationResponseObject, error) {
	head, err := json.Marshal(withoutMessages{ConversationDetail: representation.ConversationDetail(detail)})
	if err != nil {
		return nil, fmt.Errorf("conversation: %w", err)
	}
	rows, err := detail.Transcript.Next(ctx)
	if err != nil {
		return nil, err
	}
	return transcriptStream(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		out := bufio.NewWriterSize(w, streamBuffer)
		_, _ = out.Write(head[:len(head)-1]) // without its closing brace; Flush returns the error
		_, _ = out.WriteString(`,"messages":[`)
		for separator := ""; len(rows) > 0; separator = "," {
			if err := writeMessages(out, separator, rows); err != nil {
				return err
			}
			if rows, err = detail.Transcript.Next(ctx); err != nil {
				return err
			}
		}
		_, _ = out.WriteString("]}\n")
		return out.Flush()
	}), nil
}

func writeMessages(out *bufio.Writer, separator string, rows []conversation.Message) error {
	for _, row := range rows {
		message, err := json.Marshal(representation.Message(row))
		if err != nil {
			return fmt.Errorf("message: %w", err)
		}
		_, _ = out.WriteString(separator)
		if _, err := out.Write(message); err != nil {
			return err
		}
		separator = ","
	}
	return nil
}
