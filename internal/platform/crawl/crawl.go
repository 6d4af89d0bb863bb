// Package crawl fetches pages of one site: as its robots.txt allows, from public
// addresses alone, and never more of a page than is bearable.
package crawl

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gocolly/colly/v2"
	"github.com/temoto/robotstxt"

	"github.com/avelto/convo/internal/platform/egress"
)

const (
	// UserAgent names the crawler to the sites that it reads.
	UserAgent = "ConvoBot/1.0 (+https://github.com/avelto/convo)"
	// robot is the name that robots.txt knows it by.
	robot = "ConvoBot"
	// MaxPage is how much of a page is read, in bytes; one with more is left out.
	MaxPage      = 5 << 20
	maxRobots    = 512 << 10
	maxSitemap   = 5 << 20
	maxSitemaps  = 10
	maxRedirects = 5
	// maxDelay bounds what a site may ask for between two pages.
	maxDelay    = 10 * time.Second
	pageTimeout = 20 * time.Second
)

// PageError is why a page was not read, for the owner of the job.
type PageError struct {
	Reason string
	// Skipped pages are left out on purpose: nothing went wrong.
	Skipped bool
}

// Error says the reason.
func (f *PageError) Error() string { return f.Reason }

func failed(format string, args ...any) error {
	return &PageError{Reason: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) error {
	return &PageError{Reason: fmt.Sprintf(format, args...), Skipped: true}
}

// Page is a page as it was fetched.
type Page struct {
	// URL is where it stands after redirects, and by its own word (rel=canonical).
	URL   *url.URL
	Media string
	Body  []byte
	Links []string // on the same host, each once, canonical
}

// Site is a site to read pages of.
type Site struct {
	host      string
	transport *http.Transport
	robots    *robotstxt.Group
	sitemaps  []string
	takes     []string // media types
}

// Open reads the site's robots.txt. Where that cannot be had for a fault of the
// server, nothing may be read (RFC 9309, section 2.3.1.4). It fails with a *PageError.
func Open(ctx context.Context, guard *egress.Guard, start *url.URL, takes []string) (*Site, error) {
	s := &Site{host: start.Host, takes: takes, transport: &http.Transport{
		DialContext: guard.Dialer().DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: pageTimeout,
		ResponseHeaderTimeout: pageTimeout, MaxResponseHeaderBytes: 64 << 10,
	}}
	status, body, err := s.get(ctx, start.ResolveReference(&url.URL{Path: "/robots.txt"}).String(), maxRobots)
	if err != nil {
		return nil, failed("%s", explain(err))
	}
	rules, err := robotstxt.FromStatusAndBytes(status, body)
	if err != nil {
		rules = &robotstxt.RobotsData{} // what cannot be understood forbids nothing
	}
	s.robots, s.sitemaps = rules.FindGroup(robot), rules.Sitemaps
	if len(s.sitemaps) == 0 {
		s.sitemaps = []string{start.ResolveReference(&url.URL{Path: "/sitemap.xml"}).String()}
	}
	return s, nil
}

// Close lets go of connections.
func (s *Site) Close() { s.transport.CloseIdleConnections() }

// Delay is how long to wait between two pages.
func (s *Site) Delay() time.Duration { return min(s.robots.CrawlDelay, maxDelay) }

// Allows reports whether robots.txt lets a page be read.
func (s *Site) Allows(address *url.URL) bool { return s.robots.Test(address.RequestURI()) }

// get reads a small file of the site.
func (s *Site) get(ctx context.Context, address string, limit int64) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("User-Agent", UserAgent)
	client := http.Client{Transport: s.transport, CheckRedirect: s.redirect}
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("fetch: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit))
	if err != nil {
		return 0, nil, fmt.Errorf("fetch: %w", err)
	}
	return answer.StatusCode, body, nil
}

// Sitemap returns the pages that the site's sitemaps name, on its host, at most so
// many. A site without one has none.
func (s *Site) Sitemap(ctx context.Context, most int) []string {
	var found []string
	queue := slices.Clone(s.sitemaps)
	for i := 0; i < len(queue) && i < maxSitemaps && len(found) < most; i++ {
		status, body, err := s.get(ctx, queue[i], maxSitemap)
		if err != nil || status != http.StatusOK {
			continue
		}
		var file struct {
			Pages []string `xml:"url>loc"`
			Maps  []string `xml:"sitemap>loc"`
		}
		if xml.NewDecoder(bytes.NewReader(body)).Decode(&file) != nil {
			continue
		}
		queue = append(queue, file.Maps...)
		for _, one := range file.Pages {
			address, ok := s.link(&url.URL{}, strings.TrimSpace(one))
			if ok && len(found) < most && !slices.Contains(found, address) {
				found = append(found, address)
			}
		}
	}
	return found
}

// Fetch reads one page and its links. It fails with a *PageError.
func (s *Site) Fetch(ctx context.Context, address string) (*Page, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, failed("is no address")
	}
	if !s.Allows(at) {
		return nil, skipped("robots.txt does not allow it")
	}
	visit := &visit{site: s, page: &Page{URL: at}}
	c := colly.NewCollector(colly.UserAgent(UserAgent), colly.StdlibContext(ctx), colly.IgnoreRobotsTxt(),
		colly.MaxBodySize(MaxPage+1), colly.ParseHTTPErrorResponse(), colly.AllowURLRevisit())
	c.WithTransport(s.transport)
	c.SetRequestTimeout(pageTimeout)
	c.DisableCookies()
	c.SetRedirectHandler(s.redirect)
	c.OnResponse(visit.response)
	c.OnHTML("a[href], link[rel=canonical][href], meta[name=robots][content], meta[name=convobot][content]", visit.element)
	if err := c.Visit(address); err != nil && visit.err == nil {
		visit.err = asFailure(err)
	}
	if visit.err != nil {
		return nil, visit.err
	}
	if visit.noIndex {
		return nil, skipped("asks not to be indexed")
	}
	return visit.page, nil
}

// redirect follows only on the same host, to what robots.txt allows. The address of
// each hop is checked when it is dialled.
func (s *Site) redirect(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return failed("redirects too often")
	case request.URL.Host != s.host:
		return failed("redirects to another host: %s", request.URL.Hostname())
	case s.robots != nil && !s.Allows(request.URL):
		return skipped("robots.txt does not allow what it redirects to")
	}
	return nil
}

// visit is a page while it is read.
type visit struct {
	site    *Site
	page    *Page
	noIndex bool
	follow  bool
	err     error
}

func (v *visit) response(r *colly.Response) {
	if r.StatusCode != http.StatusOK {
		v.err = failed("answered %d", r.StatusCode)
		return
	}
	if len(r.Body) > MaxPage {
		v.err = failed("is larger than %d MiB", MaxPage>>20)
		return
	}
	media, _, err := mime.ParseMediaType(r.Headers.Get("Content-Type"))
	if err != nil || !slices.Contains(v.site.takes, media) {
		v.err = skipped("is of a kind that is not read: %s", media)
		return
	}
	v.follow = true
	v.page.Media, v.page.Body = media, r.Body
	v.stands(r.Request.URL.String())
}

// stands notes where the page says that it stands.
func (v *visit) stands(href string) {
	if address, ok := v.site.link(v.page.URL, href); ok {
		if parsed, err := url.Parse(address); err == nil {
			v.page.URL = parsed
		}
	}
}

func (v *visit) element(e *colly.HTMLElement) {
	switch e.Name {
	case "meta":
		rules := strings.ToLower(e.Attr("content"))
		v.noIndex = v.noIndex || strings.Contains(rules, "noindex") || strings.Contains(rules, "none")
		v.follow = v.follow && !strings.Contains(rules, "nofollow") && !strings.Contains(rules, "none")
	case "link":
		v.stands(e.Attr("href"))
	case "a":
		if !v.follow || strings.Contains(e.Attr("rel"), "nofollow") {
			return
		}
		if address, ok := v.site.link(e.Request.URL, e.Attr("href")); ok && !slices.Contains(v.page.Links, address) {
			v.page.Links = append(v.page.Links, address)
		}
	}
}

// link resolves a link, and reports whether it stays on the site.
func (s *Site) link(base *url.URL, href string) (string, bool) {
	relative, err := url.Parse(href)
	if err != nil {
		return "", false
	}
	address := base.ResolveReference(relative)
	if address.Host != s.host || address.User != nil {
		return "", false
	}
	return Canonical(address)
}

// Canonical is an address in one form: without fragment, with a path, its host in
// lower case and without the port that goes without saying. It reports false for one
// that is not of the web.
func Canonical(address *url.URL) (string, bool) {
	if address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
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
	c.RawQuery = c.Query().Encode() // in one order
	return c.String(), true
}

func asFailure(err error) error {
	if failure, ok := errors.AsType[*PageError](err); ok {
		return failure
	}
	return failed("%s", explain(err))
}

// explain says what went wrong, without what concerns the operator alone.
func explain(err error) string {
	if failure, ok := errors.AsType[*PageError](err); ok {
		return failure.Reason
	}
	var timeout interface{ Timeout() bool }
	switch {
	case egress.Refused(err):
		return "its address is private or reserved"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "did not answer in time"
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return "cannot be fetched: " + wrapped.Err.Error()
	}
	return "cannot be fetched"
}
