package docs

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/web"
)

// searchEntry is a search result.
type searchEntry struct {
	Title string `json:"title"`
	Kind  string `json:"kind"`
	URL   string `json:"url"`
	Text  string `json:"text"`
}

const (
	maxQuery = 100
	maxFound = 30
)

// serveSearch renders the search results for browsers without JavaScript. With
// JavaScript, search.js does the same in the browser.
func (s *Site) serveSearch(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	if len(query) > maxQuery {
		query = strings.ToValidUTF8(query[:maxQuery], "")
	}
	content, err := s.templates.Execute("search", view{Title: "Search", Path: Path + "/search", Nav: s.nav, Page: struct {
		Query string
		Found []searchEntry
	}{query, find(s.search(), query)}})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	web.Write(w, r, http.StatusOK, content, nil)
}

// find returns the entries that contain every word. Matches in the title rank first.
func find(entries []searchEntry, query string) []searchEntry {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return nil
	}
	rank := func(e searchEntry) (sum int) {
		title, text := strings.ToLower(e.Title), strings.ToLower(e.Text)
		for _, word := range words {
			switch {
			case strings.HasPrefix(title, word):
				sum += 4
			case strings.Contains(title, word):
				sum += 3
			case strings.Contains(text, word):
				sum++
			default:
				return 0
			}
		}
		return sum
	}
	found := slices.DeleteFunc(slices.Clone(entries), func(e searchEntry) bool { return rank(e) == 0 })
	slices.SortStableFunc(found, func(a, b searchEntry) int { return rank(b) - rank(a) })
	return found[:min(len(found), maxFound)]
}

var (
	section  = regexp.MustCompile(`<h2 id="([^"]+)">`)
	markup   = regexp.MustCompile(`<[^>]*>`)
	mainPart = regexp.MustCompile(`(?s)<main[^>]*>(.*?)<p class="foot">`)
)

// index returns the entries of all pages: those that they have, and the sections of the
// guides with all their text.
func (s *Site) index(all []chapter) (entries []searchEntry) {
	for _, c := range all {
		entries = append(entries, c.search...)
		if c.group != guideGroup {
			continue
		}
		plain, err := unpack(s.pages[c.path]().packed)
		if err != nil {
			panic(err) // unreachable: the page was packed here
		}
		found := mainPart.FindSubmatch(plain)
		if found == nil {
			continue
		}
		entries = append(entries, sections(c, string(found[1]))...)
	}
	for i := range entries {
		entries[i].Text += synonyms(entries[i].Title + " " + entries[i].Text)
	}
	return entries
}

// sections returns an entry for each section of a page, the first without a heading.
func sections(c chapter, content string) (entries []searchEntry) {
	starts := section.FindAllStringSubmatchIndex(content, -1)
	end := len(content)
	for _, at := range slices.Backward(starts) {
		text := plainText(content[at[0]:end])
		heading, _, _ := strings.Cut(content[at[1]:], "</h2>")
		entries = append(entries, searchEntry{Title: c.title + ": " + plainText(heading), Kind: guideGroup, URL: c.path + "#" + content[at[2]:at[3]], Text: text})
		end = at[0]
	}
	entries = append(entries, searchEntry{Title: c.title, Kind: guideGroup, URL: c.path, Text: plainText(content[:end])})
	slices.Reverse(entries)
	return entries
}

// plainText returns the text of HTML.
func plainText(content string) string {
	return strings.Join(strings.Fields(html.UnescapeString(markup.ReplaceAllString(content, " "))), " ")
}

// related are words that people search for and the pages that they mean, by a phrase of
// the page.
var related = []struct{ phrase, words string }{
	{"signature", "hmac sign verify verification"},
	{"rate limit", "429 throttle throttling quota"},
	{"429", "rate limit throttle"},
	{"unauthenticated", "unauthorized auth login bearer"},
	{"authorization", "auth bearer api key login"},
	{"missing_scope", "forbidden permission"},
	{"idempotency", "retry duplicate once"},
	{"cursor", "pages paging next limit offset"},
	{"requests.post", "python"},
	{"webhook", "callback hook"},
	{"lead", "crm prospect"},
	{"conversation", "chat inbox"},
	{"knowledge", "rag document faq"},
}

// synonyms returns the related words of a text.
func synonyms(text string) string {
	text = strings.ToLower(text)
	var words strings.Builder
	for _, one := range related {
		if strings.Contains(text, one.phrase) {
			words.WriteString(" " + one.words)
		}
	}
	return words.String()
}
