// Package signature signs webhook requests. It uses neither the database nor the network.
package signature

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

const (
	secretPrefix = "wh_"
	secretBytes  = 24
	// standardPrefix begins a secret of the Standard Webhooks specification.
	standardPrefix = "whsec_"
)

// NewSecret generates a signing secret: wh_ and 48 hexadecimal digits (24 random bytes).
func NewSecret() string {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails
	return secretPrefix + hex.EncodeToString(random)
}

// Standard returns a secret in the form that Standard Webhooks libraries expect: whsec_
// and the base64 encoding of the HMAC key, which is the whole secret.
func Standard(secret string) string {
	return standardPrefix + base64.StdEncoding.EncodeToString([]byte(secret))
}

// Sign sets the headers that a receiver verifies a request by. The HMAC-SHA-256 key is
// the UTF-8 bytes of a secret, prefix included; each valid secret gives one signature.
//
//   - X-Convo-Signature: t=<unix>,v1=<hex>[,v1=<hex>], of "<unix>.<body>"
//   - webhook-id, webhook-timestamp and webhook-signature of the Standard Webhooks
//     specification (https://www.standardwebhooks.com): v1,<base64>[ v1,<base64>],
//     of "<id>.<unix>.<body>"
func Sign(header http.Header, secrets []string, eventID string, at time.Time, body []byte) {
	unix := strconv.FormatInt(at.Unix(), 10)
	own := append(make([]byte, 0, 192), "t="...)
	own = append(own, unix...)
	var standard []byte
	var sum [sha256.Size]byte
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(unix))
		mac.Write([]byte{'.'})
		mac.Write(body)
		own = append(own, ",v1="...)
		own = hex.AppendEncode(own, mac.Sum(sum[:0]))
		mac.Reset()
		mac.Write([]byte(eventID))
		mac.Write([]byte{'.'})
		mac.Write([]byte(unix))
		mac.Write([]byte{'.'})
		mac.Write(body)
		if i > 0 {
			standard = append(standard, ' ')
		}
		standard = append(standard, "v1,"...)
		standard = base64.StdEncoding.AppendEncode(standard, mac.Sum(sum[:0]))
	}
	header["X-Convo-Signature"] = []string{string(own)}
	header["Webhook-Id"] = []string{eventID}
	header["Webhook-Timestamp"] = []string{unix}
	header["Webhook-Signature"] = []string{string(standard)}
}
