package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/contact"
)

// exportStream is the response of exportContact. It writes conversations as they are read,
// so that a long history needs no more memory than a short one.
type exportStream func(w http.ResponseWriter) error

// VisitExportContactResponse implements api.ExportContactResponseObject.
func (s exportStream) VisitExportContactResponse(w http.ResponseWriter) error { return s(w) }

// exporting is an export in progress.
type exporting struct {
	*contact.Export

	out       *bufio.Writer
	separator string
}

// exportedConversation is a conversation whose messages are not encoded.
type exportedConversation struct {
	api.ExportedConversation

	Messages *struct{} `json:"messages,omitempty"` // hides the embedded property
}

// newExportStream reads the first conversations, so that a failing database gives an error
// response instead of a broken connection.
func newExportStream(ctx context.Context, export *contact.Export, withLeads bool) (api.ExportContactResponseObject, error) {
	head, err := json.Marshal(representation.ContactDetail(export.Contact))
	if err != nil {
		return nil, fmt.Errorf("contact: %w", err)
	}
	rows, err := export.Next(ctx)
	if err != nil {
		return nil, err
	}
	return exportStream(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		e := &exporting{Export: export, out: bufio.NewWriterSize(w, streamBuffer)}
		_, _ = e.out.WriteString(`{"contact":`) // Flush returns the error
		_, _ = e.out.Write(head)
		_, _ = e.out.WriteString(`,"conversations":[`)
		if err := e.each(ctx, rows, e.conversations); err != nil {
			return err
		}
		_, _ = e.out.WriteString("]")
		if withLeads {
			if err := e.appendLeads(ctx); err != nil {
				return err
			}
		}
		_, _ = e.out.WriteString("}\n")
		return e.out.Flush()
	}), nil
}

// each writes batches of conversations, of which rows is the first.
func (e *exporting) each(ctx context.Context, rows []db.Conversation, write func(context.Context, []db.Conversation) error) (err error) {
	e.separator = ""
	for len(rows) > 0 {
		if err := write(ctx, rows); err != nil {
			return err
		}
		if rows, err = e.Next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// next separates the elements of a list.
func (e *exporting) next() {
	_, _ = e.out.WriteString(e.separator)
	e.separator = ","
}

func (e *exporting) conversations(ctx context.Context, rows []db.Conversation) error {
	for _, row := range rows {
		if err := e.conversation(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// appendLeads reads the conversations a second time, so that no leads are held in memory.
func (e *exporting) appendLeads(ctx context.Context) error {
	e.Restart()
	rows, err := e.Next(ctx)
	if err != nil {
		return err
	}
	_, _ = e.out.WriteString(`,"leads":[`)
	err = e.each(ctx, rows, func(ctx context.Context, rows []db.Conversation) error {
		leads, err := e.Leads(ctx, rows)
		if err != nil {
			return err
		}
		for i := range leads {
			e.next()
			_, _ = e.out.Write(representation.AppendLead(e.out.AvailableBuffer(), &leads[i]))
		}
		return nil
	})
	_, _ = e.out.WriteString("]")
	return err
}

func (e *exporting) conversation(ctx context.Context, row db.Conversation) error {
	head, err := json.Marshal(exportedConversation{ExportedConversation: representation.ExportedConversation(row, e.Contact.Contact)})
	if err != nil {
		return fmt.Errorf("conversation: %w", err)
	}
	e.next()
	_, _ = e.out.Write(head[:len(head)-1]) // without its closing brace
	_, _ = e.out.WriteString(`,"messages":[`)
	transcript, err := e.Transcript(ctx, row)
	if err != nil {
		return err
	}
	for separator := ""; ; separator = "," {
		messages, err := transcript.Next(ctx)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			break
		}
		if err := writeMessages(e.out, separator, messages); err != nil {
			return err
		}
	}
	_, err = e.out.WriteString("]}")
	return err
}
