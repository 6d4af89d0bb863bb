// Package crawl fetches the pages of one site from public addresses, as its robots.txt
// allows. This process only downloads a bounded number of bytes: the reader process of
// package extract decompresses and parses them.
package crawl

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/weburl"
)

const (
	// UserAgent names the crawler to the sites that it reads.
	UserAgent = "ConvoBot/1.0 (+https://github.com/avelto/convo)"
	// robot is its name in robots.txt.
	robot       = "ConvoBot"
	maxSitemap  = extract.MaxPage
	maxSitemaps = 10
	// maxDelay bounds the Crawl-delay that a site may ask for.
	maxDelay = 10 * time.Second
)

// PageError says why a page was not read. The reason is for the owner of the job.
type PageError struct {
	Reason string
	// Skipped is set if the page was omitted on purpose.
	Skipped bool
}

// Error returns the reason.
func (f *PageError) Error() string { return f.Reason }

func failed(format string, args ...any) error {
	return &PageError{Reason: fmt.Sprintf(format, args...)}
}

func skipped(reason string) error {
	return &PageError{Reason: reason, Skipped: true}
}

// Page is a page of the site.
type Page struct {
	// URL is its canonical address after redirects, or the one that it declares
	// (rel=canonical).
	URL   string
	Index extract.Index
	// Unreadable says why the index is empty; nil if it is not. Links are returned in
	// either case.
	Unreadable error
	// Links are addresses on the same host, in canonical form, each once.
	Links []string
}

// Options of a site.
type Options struct {
	Guard  *egress.Guard
	Reader *extract.Runner
	// Start is a canonical address on the site.
	Start *url.URL
	// Accepts are the media types to read.
	Accepts []string
}

// Site is a site to read pages of.
type Site struct {
	host     string
	accepts  []string
	reader   *extract.Runner
	client   *http.Client
	robots   *extract.Robots
	sitemaps []string
}

// Open reads the site's robots.txt. If the server fails to return it, no page may be
// read (RFC 9309, section 2.3.1.4). It returns a *PageError.
func Open(ctx context.Context, options Options) (*Site, error) {
	s := &Site{host: options.Start.Host, accepts: options.Accepts, reader: options.Reader}
	s.client = &http.Client{Transport: transport(options.Guard), CheckRedirect: s.redirect}
	rules, err := s.readRobots(ctx, options.Start.ResolveReference(&url.URL{Path: "/robots.txt"}).String())
	if err != nil {
		return nil, err
	}
	s.robots, s.sitemaps = rules, rules.Sitemaps
	if len(s.sitemaps) == 0 {
		s.sitemaps = []string{options.Start.ResolveReference(&url.URL{Path: "/sitemap.xml"}).String()}
	}
	return s, nil
}

// Close closes idle connections.
func (s *Site) Close() { s.client.CloseIdleConnections() }

// Delay returns how long to wait between two pages.
func (s *Site) Delay() time.Duration {
	return time.Duration(min(s.robots.DelaySeconds, maxDelay.Seconds()) * float64(time.Second))
}

// Allows reports whether robots.txt allows a page.
func (s *Site) Allows(address *url.URL) bool { return s.robots.Allows(address.RequestURI()) }

// Sitemap returns the first pages on this host that the site's sitemaps list, at most
// most. It skips sitemaps on other hosts, and those that cannot be read.
func (s *Site) Sitemap(ctx context.Context, most int) []string {
	var found []string
	seen := map[string]bool{}
	queue := slices.Clone(s.sitemaps)
	for i := 0; i < len(queue) && i < maxSitemaps && len(found) < most; i++ {
		if at, err := url.Parse(queue[i]); err != nil || at.Host != s.host {
			continue
		}
		listed, err := s.readSitemap(ctx, queue[i])
		if err != nil {
			continue
		}
		queue = append(queue, listed.Maps...)
		for _, address := range listed.Pages {
			if len(found) < most && !seen[address] {
				seen[address] = true
				found = append(found, address)
			}
		}
	}
	return found
}

func (s *Site) readSitemap(ctx context.Context, address string) (listed extract.Sitemap, err error) {
	file, err := s.download(ctx, address, maxSitemap)
	if err != nil {
		return listed, err
	}
	defer file.close()
	if file.status != http.StatusOK {
		return listed, failed("returned status %d", file.status)
	}
	return read(ctx, file, extract.Task{}, s.reader.ReadSitemap)
}

// Fetch reads one page of the site and its links. Its error is a *PageError, if the page is
// to blame.
func (s *Site) Fetch(ctx context.Context, address string) (*Page, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, failed("has an invalid address")
	}
	if at.Host != s.host {
		return nil, skipped("is on another host")
	}
	if !s.Allows(at) {
		return nil, skipped("is disallowed by robots.txt")
	}
	file, err := s.download(ctx, address, extract.MaxPage)
	if err != nil {
		return nil, err
	}
	defer file.close()
	if file.status != http.StatusOK {
		return nil, failed("returned status %d", file.status)
	}
	media, params, err := mime.ParseMediaType(file.contentType)
	if err != nil || !slices.Contains(s.accepts, media) {
		return nil, skipped("has a media type that is not supported")
	}
	found, err := read(ctx, file, extract.Task{Kind: extract.Kind(media), Charset: params["charset"]}, s.reader.ReadPage)
	if err != nil {
		return nil, blame(err)
	}
	if found.NoIndex {
		return nil, skipped("asks not to be indexed")
	}
	page := &Page{URL: file.address, Index: found.Index, Links: found.Links}
	if found.Canonical != "" {
		page.URL = found.Canonical
	}
	if found.Unreadable != nil {
		page.Unreadable = blame(found.Unreadable)
	}
	return page, nil
}

// blame turns an error of the reader into one about the page.
func blame(err error) error {
	if unreadable, ok := errors.AsType[*extract.Error](err); ok {
		return &PageError{Reason: unreadable.Message, Skipped: unreadable.Code == extract.NoText}
	}
	return err
}

// canonical returns the address of a response, after redirects.
func canonical(address *url.URL) (string, error) {
	one, ok := weburl.Canonical(address)
	if !ok {
		return "", failed("redirects to an address longer than %d characters", weburl.Max)
	}
	return one, nil
}
