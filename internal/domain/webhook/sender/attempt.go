package sender

import (
	"net/http"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/openapi/timestamp"
)

// Attempt is the outcome of one POST.
type Attempt struct {
	At         time.Time
	Duration   time.Duration
	Status     int           // 0 if there was no response
	Body       string        // at most the first 1024 bytes
	Error      string        // why there was no complete response; else empty
	RetryAfter time.Duration // asked for by the endpoint; 0 if not
}

// OK reports whether the endpoint accepted the event: a complete 2xx response.
func (a Attempt) OK() bool {
	return a.Error == "" && a.Status >= http.StatusOK && a.Status < http.StatusMultipleChoices
}

// API returns the attempt as the API represents it, which is also how it is stored.
func (a Attempt) API() api.WebhookAttempt {
	shown := api.WebhookAttempt{At: timestamp.New(a.At), DurationMs: int32(a.Duration.Milliseconds())}
	if a.Status != 0 {
		status := int32(a.Status)
		shown.ResponseStatus, shown.ResponseBody = &status, &a.Body
	}
	if a.Error != "" {
		shown.Error = &a.Error
	}
	return shown
}
