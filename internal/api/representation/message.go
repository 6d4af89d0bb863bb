package representation

import (
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/openapi/timestamp"
)

// Message converts a message with its files. Those of a redacted message are not shown.
func Message(in conversation.Message) api.Message {
	row := in.Message
	author := map[api.MessageAuthorType]*uuid.UUID{
		api.MessageAuthorTypeCONTACT: row.ContactID, api.MessageAuthorTypeAGENT: row.AgentID,
		api.MessageAuthorTypeOPERATOR: row.OperatorID,
	}
	shown := api.Message{
		ID: row.ID, Role: row.Role, Content: row.Content, Direction: api.MessageDirectionOUTBOUND,
		Author:         api.MessageAuthor{Type: row.AuthorType, ID: author[row.AuthorType]},
		DeliveryStatus: row.DeliveryStatus, CreatedAt: timestamp.New(row.CreatedAt),
		ExternalID: row.ExternalID, ClientMessageID: row.ClientMessageID, ReplyToID: row.ReplyToID,
		EditedAt: timestamp.NewPtr(row.EditedAt), RedactedAt: timestamp.NewPtr(row.RedactedAt), Error: messageError(row),
	}
	if row.Role == api.MessageRoleUSER {
		shown.Direction = api.MessageDirectionINBOUND
	}
	if len(in.Attachments) > 0 && row.RedactedAt == nil {
		files := List(in.Attachments, Attachment)
		shown.Attachments = &files
	}
	if citations, err := conversation.Citations(row); err == nil && len(citations) > 0 && row.RedactedAt == nil {
		shown.Citations = &citations
	}
	return shown
}

// MessageDetail converts a message with the attempts to send it, which are stored as the
// API shows them.
func MessageDetail(in conversation.Message) api.MessageDetail {
	short := Message(in)
	return api.MessageDetail{
		ID: short.ID, Role: short.Role, Content: short.Content, Direction: short.Direction, Author: short.Author,
		DeliveryStatus: short.DeliveryStatus, CreatedAt: short.CreatedAt, ExternalID: short.ExternalID, ClientMessageID: short.ClientMessageID,
		ReplyToID: short.ReplyToID, EditedAt: short.EditedAt, RedactedAt: short.RedactedAt, Error: short.Error, Attachments: short.Attachments,
		Citations: short.Citations,
		Attempts:  in.Attempts,
	}
}

func messageError(row db.Message) *api.MessageError {
	if row.ErrorCode == nil || row.ErrorMessage == nil {
		return nil
	}
	return &api.MessageError{Code: *row.ErrorCode, Message: *row.ErrorMessage, ProviderCode: row.ProviderCode}
}

// Attachment converts a file of a message.
func Attachment(row db.Attachment) api.Attachment {
	return api.Attachment{ID: row.ID, Type: row.Type, Name: row.Name, ContentType: row.ContentType, SizeBytes: row.SizeBytes, State: row.State}
}
