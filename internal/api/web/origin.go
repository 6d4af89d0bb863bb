package web

import (
	"net/http"
	"regexp"
	"strings"
)

// plainHost matches the hosts that can be put into shell commands and programs as they
// are: names and addresses, with a port. A Host header can hold more, such as $(…).
var plainHost = regexp.MustCompile(`^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?$`)

// fallbackOrigin is the default of convo dev.
const fallbackOrigin = "http://localhost:8080"

// Origin returns the scheme and host at which a client reached the server, for code that
// the client is shown. A proxy that ends TLS says so in X-Forwarded-Proto.
func Origin(r *http.Request) string {
	if !plainHost.MatchString(r.Host) {
		return fallbackOrigin
	}
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
