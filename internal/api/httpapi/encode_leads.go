package httpapi

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
)

// Leads are the most requested rows, so their responses are appended to a buffer (see
// representation.AppendLead).

// leadList is the response of listLeads.
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
			b = representation.AppendLead(b, &l.rows[i])
		}
		return append(b, ']')
	})
}

// oneLead is the response of operations that return one lead.
type oneLead struct{ row db.Lead }

// VisitGetLeadResponse implements api.GetLeadResponseObject.
func (l oneLead) VisitGetLeadResponse(w http.ResponseWriter) error {
	return writeJSON(w, http.StatusOK, func(b []byte) []byte { return representation.AppendLead(b, &l.row) })
}

// VisitUpdateLeadResponse implements api.UpdateLeadResponseObject.
func (l oneLead) VisitUpdateLeadResponse(w http.ResponseWriter) error {
	return l.VisitGetLeadResponse(w)
}

// VisitUpdateLeadStatusResponse implements api.UpdateLeadStatusResponseObject.
func (l oneLead) VisitUpdateLeadStatusResponse(w http.ResponseWriter) error {
	return l.VisitGetLeadResponse(w)
}

// createdLead is the response of createLead.
type createdLead struct{ row db.Lead }

// VisitCreateLeadResponse implements api.CreateLeadResponseObject.
func (l createdLead) VisitCreateLeadResponse(w http.ResponseWriter) error {
	w.Header().Set("Location", *location("/leads", l.row.ID))
	return writeJSON(w, http.StatusCreated, func(b []byte) []byte { return representation.AppendLead(b, &l.row) })
}

// buffers are reused: a page of 50 leads takes about 16 KB.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKept bounds the size of buffers that are reused, in bytes.
const maxKept = 256 << 10

// writeJSON responds with what appendBody appends, and a newline as encoding/json
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
