// Package egress protects the network from requests to addresses that users choose, such
// as webhook URLs (server-side request forgery). DNS may return another address for each
// lookup, so the address is checked when the connection is made, after DNS.
package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"code.dny.dev/ssrf"
)

const (
	dialTimeout = 10 * time.Second
	keepAlive   = 30 * time.Second
)

// Guard allows connections to public addresses, and to networks that the operator allows.
// It refuses everything in the IANA special-purpose registries: private, loopback,
// link-local (which includes cloud metadata services), multicast, NAT64, 6to4 and
// IPv4-mapped addresses.
type Guard struct {
	guardian *ssrf.Guardian
	allowed  []netip.Prefix
}

// NewGuard returns a guard that also allows the given networks.
func NewGuard(allowed []netip.Prefix) *Guard {
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	return &Guard{
		allowed: allowed,
		guardian: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...),
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("224.0.0.0/4"))),
	}
}

// ParsePrefixes parses networks in CIDR notation, such as 10.0.0.0/8 and ::1/128. Its
// errors are for the operator.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("network %d of %d is not in CIDR notation, such as 10.0.0.0/8", i+1, len(texts))
		}
		prefixes[i] = prefix.Masked()
	}
	return prefixes, nil
}

// Loopback returns the networks that a server in development may connect to.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// Dialer returns a dialer that checks each address before it connects.
func (g *Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, Control: g.guardian.Safe}
}

// Refused reports whether a guard refused to connect.
func Refused(err error) bool {
	return errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) || errors.Is(err, ssrf.ErrProhibitedPort)
}

// CheckURL returns what is wrong with a URL to send to, as a text for the caller of the
// API, or an empty string. It resolves no names: their addresses are checked by Dialer.
func (g *Guard) CheckURL(raw string) (problem string) { return g.check(raw, false) }

// CheckPage is CheckURL for a page to read, which may use plain http.
func (g *Guard) CheckPage(raw string) (problem string) { return g.check(raw, true) }

func (g *Guard) check(raw string, plain bool) (problem string) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "must be an absolute URL"
	}
	if u.User != nil {
		return "must not hold a user or password"
	}
	if u.Fragment != "" {
		return "must not have a fragment"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "has no such port"
		}
	}
	local := g.allowsLoopback(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !local && !plain) {
		return "must be https"
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && g.guardian.SafeAddr(addr.Unmap()) != nil {
		return "must not be a private or reserved address"
	}
	if u.Hostname() == "localhost" && !local {
		return "must not be a private or reserved address"
	}
	return ""
}

// allowsLoopback reports whether a host is a loopback address that is allowed.
func (g *Guard) allowsLoopback(host string) bool {
	if host == "localhost" {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() && slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(addr) })
}
