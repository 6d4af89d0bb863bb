package console

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/google/uuid"
)

// date formats a date, or "never" for nil.
func date(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format("2 Jan 2006")
}

// moment formats a time as an HTML time element.
func moment(at time.Time) template.HTML {
	at = at.UTC()
	return template.HTML(`<time class="nowrap" datetime="` + at.Format(time.RFC3339Nano) + `">` + at.Format("2 Jan 2006 15:04:05") + `</time>`) //nolint:gosec // consists of digits and punctuation
}

// since formats the time elapsed since at.
func (c *console) since(at *time.Time) string {
	if at == nil {
		return "never"
	}
	switch ago := c.Clock.Now().Sub(*at); {
	case ago < time.Minute:
		return "just now"
	case ago < time.Hour:
		return fmt.Sprintf("%d min ago", int(ago.Minutes()))
	case ago < day:
		return fmt.Sprintf("%d h ago", int(ago.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(ago.Hours())/24)
	}
}

// tone returns the CSS class for the color of a status: a string or an enum of the
// document.
func tone(status any) string {
	switch fmt.Sprint(status) {
	case "CONNECTED", "SUCCEEDED", "active":
		return "good"
	case "ERROR", "FAILED", "revoked", "sign_in.refused":
		return "bad"
	case "PENDING", "expired":
		return "warm"
	}
	return ""
}

// short returns the last 8 characters of an ID. UUIDv7 values from the same time differ
// only at the end.
func short(id uuid.UUID) string {
	text := id.String()
	return text[len(text)-8:]
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", share*100) }

// duration formats seconds, or returns a dash for nil.
func duration(seconds *float64) string {
	if seconds == nil {
		return "–"
	}
	text := time.Duration(*seconds * float64(time.Second)).Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		return strings.TrimSuffix(text, "0s")
	}
	return text
}
