// Package weburl normalizes URLs of web pages, so that a page that is linked in several
// spellings is fetched and stored once.
package weburl

import (
	"net/url"
	"path"
	"strings"
)

// Max is the longest canonical address, in bytes. The database has a limit, too: an
// index entry of PostgreSQL holds less than 2,704 bytes. Percent-encoding makes nine
// bytes of most characters outside ASCII.
const Max = 2048

// Canonical returns an address without fragment, with a path, a lowercase host, no
// default port, no dot segments and its query parameters sorted. It reports false for an
// address that is not http or https, or longer than Max.
func Canonical(address *url.URL) (string, bool) {
	if address.Scheme != "http" && address.Scheme != "https" || address.Host == "" || address.User != nil {
		return "", false
	}
	c := *address
	c.Fragment, c.RawFragment = "", ""
	c.Host = strings.ToLower(c.Host)
	if port := c.Port(); c.Scheme == "http" && port == "80" || c.Scheme == "https" && port == "443" {
		c.Host = strings.TrimSuffix(c.Host, ":"+port)
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if strings.Contains(c.Path, "/.") || strings.Contains(c.Path, "//") {
		trailing := strings.HasSuffix(c.Path, "/")
		c.Path, c.RawPath = path.Clean(c.Path), ""
		if trailing && c.Path != "/" {
			c.Path += "/"
		}
	}
	c.RawQuery = c.Query().Encode()
	canonical := c.String()
	return canonical, len(canonical) <= Max
}

// Resolve returns the canonical form of a link on a page. It reports false for one that
// leaves the page's host, or that Canonical refuses.
func Resolve(base *url.URL, host, href string) (string, bool) {
	if len(href) > 2*Max { // dot segments may shorten it, but not that much
		return "", false
	}
	link, err := url.Parse(strings.TrimSpace(href))
	if err != nil {
		return "", false
	}
	address := base.ResolveReference(link)
	if !strings.EqualFold(address.Host, host) {
		return "", false
	}
	return Canonical(address)
}
