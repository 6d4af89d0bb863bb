package httpapi

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/timestamp"
)

// Leads are the hot rows: they are written by appending, where encoding/json
// would take five times as long and parse the stored fields again. A fuzz test
// holds the result against encoding/json and the document.

// leadList answers listLeads.
type leadList struct {
	rows []db.Lead
	link *string
	next *string
}

// VisitListLeadsResponse implements api.ListLeadsResponseObject.
func (l leadList) VisitListLeadsResponse(w http.ResponseWriter) error {
	if l.next != nil {
		w.Header().Set("Link", *l.link)
		w.Header().Set("X-Next-Cursor", *l.next)
	}
	return writeJSON(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, '[')
		for i := range l.rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendLead(b, &l.rows[i])
		}
		return append(b, ']')
	})
}

// oneLead answers what ends in a lead.
type oneLead struct{ row db.Lead }

// VisitGetLeadResponse implements api.GetLeadResponseObject.
func (l oneLead) VisitGetLeadResponse(w http.ResponseWriter) error {
	return writeJSON(w, http.StatusOK, func(b []byte) []byte { return appendLead(b, &l.row) })
}

// VisitUpdateLeadResponse implements api.UpdateLeadResponseObject.
func (l oneLead) VisitUpdateLeadResponse(w http.ResponseWriter) error {
	return l.VisitGetLeadResponse(w)
}

// VisitUpdateLeadStatusResponse implements api.UpdateLeadStatusResponseObject.
func (l oneLead) VisitUpdateLeadStatusResponse(w http.ResponseWriter) error {
	return l.VisitGetLeadResponse(w)
}

// createdLead answers createLead.
type createdLead struct{ row db.Lead }

// VisitCreateLeadResponse implements api.CreateLeadResponseObject.
func (l createdLead) VisitCreateLeadResponse(w http.ResponseWriter) error {
	w.Header().Set("Location", *location("/leads", l.row.ID))
	return writeJSON(w, http.StatusCreated, func(b []byte) []byte { return appendLead(b, &l.row) })
}

// buffers are used again: a page of 50 leads takes some 16 KB.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKept bounds what a buffer may keep for the next answer, in bytes.
const maxKept = 256 << 10

// writeJSON answers with what appendBody appends, and a newline, as encoding/json
// does.
func writeJSON(w http.ResponseWriter, status int, appendBody func([]byte) []byte) error {
	buffer, _ := buffers.Get().(*[]byte)
	body := append(appendBody((*buffer)[:0]), '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	if cap(body) <= maxKept {
		*buffer = body
		buffers.Put(buffer)
	}
	return err
}

// appendLead appends a lead as the schema Lead has it.
func appendLead(b []byte, row *db.Lead) []byte {
	b = append(b, `{"id":`...)
	b = appendUUID(b, &row.ID)
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
	b = appendUUID(b, row.ConversationID)
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

// appendUUID appends an id in quotes, or null.
func appendUUID(b []byte, id *uuid.UUID) []byte {
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
