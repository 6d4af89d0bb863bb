package httpapi

import (
	"net/http"
	"strconv"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
)

// eventList is a response of listEvents. Each event has the same bytes as in a webhook
// request.
type eventList struct {
	rows   []db.Event
	latest int64
	link   *string
}

// VisitListEventsResponse implements api.ListEventsResponseObject.
func (l eventList) VisitListEventsResponse(w http.ResponseWriter) error {
	w.Header().Set("X-Latest-Sequence", strconv.FormatInt(l.latest, 10))
	if l.link != nil {
		w.Header().Set("Link", *l.link)
	}
	return writeJSON(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, '[')
		for i, row := range l.rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = event.AppendJSON(b, row)
		}
		return append(b, ']')
	})
}
