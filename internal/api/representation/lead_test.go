package representation_test

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/openapi/timestamp"
)

// reflected is a lead as encoding/json writes it.
func reflected(t testing.TB, row db.Lead) []byte {
	t.Helper()
	var score *int32
	if row.Score != nil {
		wide := int32(*row.Score)
		score = &wide
	}
	raw, err := json.Marshal(api.Lead{
		ID: row.ID, Status: row.Status, Fields: row.Fields, Score: score, Source: row.Source,
		ConversationID: row.ConversationID, CrmExternalID: row.CrmExternalID,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	})
	require.NoError(t, err)
	return raw
}

// FuzzAppendLead compares the appended form with that of encoding/json and validates it
// against the document's schema.
func FuzzAppendLead(f *testing.F) {
	document, err := spec.Published()
	require.NoError(f, err)
	schema := document.OpenAPI.Components.Schemas["Lead"].Value
	f.Add("name", "Anna", "form", "crm-1", int16(78), int64(1777550400123), true)
	f.Add("", "\"\\\n\t\u2028<&>🦊", "\x00\x1f", "é", int16(0), int64(0), false)
	f.Fuzz(func(t *testing.T, field, value, source, crm string, score int16, at int64, full bool) {
		for _, text := range []string{field, value, source, crm} {
			if !utf8.ValidString(text) {
				return // PostgreSQL holds none
			}
		}
		moment := time.UnixMilli(max(0, min(at, 253402300799999))).UTC() // to the year 9999
		score = min(max(score, 0), 100)
		fields, err := json.Marshal(map[string]string{field: value})
		require.NoError(t, err)
		row := db.Lead{ID: uuid.New(), Status: "WON", Fields: fields, CreatedAt: moment, UpdatedAt: moment.Add(time.Nanosecond)}
		if full {
			conversation := uuid.New()
			row.Score, row.Source, row.CrmExternalID, row.ConversationID = &score, &source, &crm, &conversation
		}
		got := representation.AppendLead(nil, &row)
		require.JSONEq(t, string(reflected(t, row)), string(got))
		if field == "email" || field == "phone" || len(value) > 2000 || field == "" || len(field) > 100 {
			return // validated before they are stored
		}
		var parsed any
		require.NoError(t, json.Unmarshal(got, &parsed))
		require.NoError(t, schema.VisitJSON(parsed, openapi3.EnableJSONSchema2020()), "%s", got)
	})
}

func sample() []db.Lead {
	rows, score, source := make([]db.Lead, 50), int16(78), "external-form"
	for i := range rows {
		rows[i] = db.Lead{
			ID: uuid.New(), Status: "QUALIFIED", Score: &score, Source: &source, CreatedAt: time.Now(), UpdatedAt: time.Now(),
			Fields: []byte(`{"name": "Anna Nowak", "email": "anna@example.com", "phone": "+48 111 222 333"}`),
		}
	}
	return rows
}

// BenchmarkAppendLeads writes a page of 50 leads by appending.
func BenchmarkAppendLeads(b *testing.B) {
	rows, buffer := sample(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		buffer = buffer[:0]
		for i := range rows {
			buffer = representation.AppendLead(buffer, &rows[i])
		}
	}
}

// BenchmarkMarshalLeads writes the same by encoding/json.
func BenchmarkMarshalLeads(b *testing.B) {
	rows := sample()
	b.ReportAllocs()
	for b.Loop() {
		for i := range rows {
			reflected(b, rows[i])
		}
	}
}
