package sms

import (
	"cmp"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
)

// maxMedia is how many files a message has at most.
const maxMedia = 10

// optedOut is Twilio's code for messages to who has opted out.
const optedOut = 21610

// noReply is the TwiML of a response that sends nothing.
const noReply = `<?xml version="1.0" encoding="UTF-8"?><Response/>`

// keywords are the words that Twilio itself responds to
// (https://help.twilio.com/articles/223134027). YES is missing: it is mostly a reply to a question.
var keywords = map[string]string{
	"STOP": stop, "STOPALL": stop, "UNSUBSCRIBE": stop, "CANCEL": stop, "END": stop, "QUIT": stop, "REVOKE": stop, "OPTOUT": stop,
	"START": start, "UNSTOP": start, "HELP": help, "INFO": help,
}

const (
	stop  = "STOP"
	start = "START"
	help  = "HELP"
)

// Receive implements provider.Provider: messages, and the delivery reports of sent ones.
func (*Provider) Receive(c provider.Channel, r provider.Request) (provider.Received, error) {
	form, err := twilio.Verify(c, r)
	if err != nil {
		return provider.Received{}, err
	}
	id, from := cmp.Or(form.Get("MessageSid"), form.Get("SmsSid")), form.Get("From")
	if id == "" {
		return provider.Received{}, fmt.Errorf("%w: no message", provider.ErrMalformed)
	}
	if status := form.Get("MessageStatus"); status != "" && status != "received" {
		return provider.Received{Items: report(form, id, status)}, nil
	}
	if from == "" {
		return provider.Received{}, fmt.Errorf("%w: no sender", provider.ErrMalformed)
	}
	received := provider.Received{Reply: twilio.Reply(noReply)}
	message := provider.Message{ExternalID: id, From: twilio.Identity(from), Text: form.Get("Body")}
	message.Attachments, received.Malformed = media(form)
	word := keyword(form)
	// Twilio responds to keywords: a second response would be one too many.
	message.Automatic = word != ""
	received.Items = append(received.Items, message)
	if word == stop || word == start {
		received.Items = append(received.Items, provider.Block{From: from, On: word == stop})
	}
	return received, nil
}

// keyword returns what a message asks for if it is nothing but a keyword. OptOutType is what
// Twilio understood by the keywords that the account has chosen.
func keyword(form url.Values) string {
	if known := strings.ToUpper(form.Get("OptOutType")); known == stop || known == start || known == help {
		return known
	}
	return keywords[strings.ToUpper(strings.TrimSpace(form.Get("Body")))]
}

// report returns what a delivery report says. Statuses before delivered say nothing new.
func report(form url.Values, id, status string) []provider.Item {
	switch status {
	case "delivered":
		return []provider.Item{provider.Status{ExternalID: id, Status: api.DeliveryStatusDELIVERED}}
	case "read":
		return []provider.Item{provider.Status{ExternalID: id, Status: api.DeliveryStatusREAD}}
	case "undelivered", "failed", "canceled":
	default: // accepted, scheduled, queued, sending, sent
		return nil
	}
	code, _ := strconv.Atoi(form.Get("ErrorCode"))
	failed := provider.Status{ExternalID: id, Status: api.DeliveryStatusFAILED, Code: form.Get("ErrorCode"), Kind: twilio.KindOf(code)}
	failed.Detail = cmp.Or(form.Get("ErrorMessage"), "Twilio reports that the message was not delivered: "+status+".")
	items := []provider.Item{failed}
	if code == optedOut {
		items = append(items, provider.Block{From: form.Get("To"), On: true})
	}
	return items
}

// media returns the files of a message, by their paths at Twilio.
func media(form url.Values) (found []provider.Attachment, malformed []string) {
	count, _ := strconv.Atoi(form.Get("NumMedia"))
	for i := range min(count, maxMedia) {
		n := strconv.Itoa(i)
		at, err := url.Parse(form.Get("MediaUrl" + n))
		if err != nil || !mediaPattern.MatchString(at.Path) {
			malformed = append(malformed, "MediaUrl"+n)
			continue
		}
		contentType := form.Get("MediaContentType" + n)
		found = append(found, provider.Attachment{
			Type: provider.TypeOf(contentType), Name: "file" + n + extension(contentType), ContentType: contentType, SizeBytes: -1, ExternalID: at.Path,
		})
	}
	return found, malformed
}

// extension returns the usual extension of the formats that phones send.
func extension(contentType string) string {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return map[string]string{
		"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "video/mp4": ".mp4", "video/3gpp": ".3gp",
		"audio/mpeg": ".mp3", "audio/amr": ".amr", "audio/ogg": ".ogg", "application/pdf": ".pdf", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
	}[mediaType]
}
