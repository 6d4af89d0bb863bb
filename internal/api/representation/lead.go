package representation

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

// AppendLead appends a lead as JSON by the schema Lead (ADR 15). A fuzz test compares
// the result with encoding/json and validates it against the schema.
func AppendLead(b []byte, row *db.Lead) []byte {
	b = append(b, `{"id":`...)
	b = AppendUUID(b, &row.ID)
	b = append(b, `,"status":"`...)
	b = append(b, row.Status...) // one of five words
	b = append(b, `","fields":`...)
	b = append(b, row.Fields...) // JSON already
	b = append(b, `,"score":`...)
	if row.Score == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(*row.Score), 10)
	}
	b = append(b, `,"source":`...)
	b = appendText(b, row.Source)
	b = append(b, `,"conversationId":`...)
	b = AppendUUID(b, row.ConversationID)
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
	// It fails on invalid UTF-8 alone, which PostgreSQL stores nowhere, and then has
	// appended replacements.
	quoted, _ := jsontext.AppendQuote(b, *text)
	return quoted
}

const hexDigits = "0123456789abcdef"

// AppendUUID appends an id in quotes, or null.
func AppendUUID(b []byte, id *uuid.UUID) []byte {
	if id == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	for i, octet := range id {
		switch i {
		case 4, 6, 8, 10:
			b = append(b, '-')
		}
		b = append(b, hexDigits[octet>>4], hexDigits[octet&0xf])
	}
	return append(b, '"')
}
