package sender

import (
	"net/http"
	"time"

	"github.com/avelto/convo/openapi/timestamp"
)

// Attempt is the outcome of one POST.
type Attempt struct {
	At         time.Time
	Duration   time.Duration
	Status     int           // 0 if there was no response
	Body       string        // at most the first 1024 bytes
	Error      string        // why there was no complete response; else empty
	RetryAfter time.Duration // requested by the endpoint; 0 if not
}

// OK reports whether the endpoint accepted the event: a complete 2xx response.
func (a Attempt) OK() bool {
	return a.Error == "" && a.Status >= http.StatusOK && a.Status < http.StatusMultipleChoices
}

// Gone reports whether the endpoint responded 410, which means that it wants no more
// events.
func (a Attempt) Gone() bool { return a.Status == http.StatusGone }

// Stored is an attempt as the database stores it and the API shows it. ResponseStatus and
// ResponseBody are nil if there was no response, Error is nil if it was complete.
type Stored struct {
	At             timestamp.Time `json:"at"`
	DurationMs     int32          `json:"durationMs"`
	Error          *string        `json:"error"`
	ResponseBody   *string        `json:"responseBody"`
	ResponseStatus *int32         `json:"responseStatus"`
}

// Stored returns the attempt as it is stored.
func (a Attempt) Stored() Stored {
	stored := Stored{At: timestamp.New(a.At), DurationMs: int32(a.Duration.Milliseconds())}
	if a.Status != 0 {
		status := int32(a.Status)
		stored.ResponseStatus, stored.ResponseBody = &status, &a.Body
	}
	if a.Error != "" {
		stored.Error = &a.Error
	}
	return stored
}
