package representation

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/openapi/timestamp"
)

// AppendLead appends a lead as JSON that matches the schema Lead (ADR 15). A fuzz test
// compares it with encoding/json and validates it against the schema.
func AppendLead(b []byte, row *db.Lead) []byte {
	b = append(b, `{"id":`...)
	b = id.AppendJSON(b, &row.ID)
	b = append(b, `,"status":"`...)
	b = append(b, row.Status...) // an enum value
	b = append(b, `","fields":`...)
	b = append(b, row.Fields...) // already JSON
	b = append(b, `,"score":`...)
	if row.Score == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(*row.Score), 10)
	}
	if row.ScoreReason != nil {
		b = append(b, `,"scoreReason":`...)
		b = appendText(b, row.ScoreReason)
	}
	b = append(b, `,"source":`...)
	b = appendText(b, row.Source)
	b = append(b, `,"conversationId":`...)
	b = id.AppendJSON(b, row.ConversationID)
	b = append(b, `,"crmExternalId":`...)
	b = appendText(b, row.CrmExternalID)
	b = append(b, `,"createdAt":"`...)
	b = timestamp.New(row.CreatedAt).AppendFormat(b)
	b = append(b, `","updatedAt":"`...)
	b = timestamp.New(row.UpdatedAt).AppendFormat(b)
	return append(b, `"}`...)
}

func appendText(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	// It fails only on invalid UTF-8, which PostgreSQL never stores, and even then has
	// appended replacement characters.
	quoted, _ := jsontext.AppendQuote(b, *text)
	return quoted
}
