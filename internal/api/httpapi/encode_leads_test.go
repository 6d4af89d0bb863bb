package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
)

func TestBufferIsNotSharedBetweenResponses(t *testing.T) {
	t.Parallel()
	row := db.Lead{ID: uuid.New(), Status: "NEW", Fields: []byte(`{"a":"b"}`)}
	want := ""
	for range 100 {
		w := httptest.NewRecorder()
		require.NoError(t, leadList{rows: []db.Lead{row, row}}.VisitListLeadsResponse(w))
		require.Equal(t, http.StatusOK, w.Code)
		if want == "" {
			want = w.Body.String()
			one := string(representation.AppendLead(nil, &row))
			require.JSONEq(t, "["+one+","+one+"]", w.Body.String())
		}
		require.Equal(t, want, w.Body.String())
		require.NoError(t, oneLead{db.Lead{ID: uuid.New(), Status: "LOST", Fields: []byte(`{}`)}}.VisitGetLeadResponse(httptest.NewRecorder()))
	}
}
