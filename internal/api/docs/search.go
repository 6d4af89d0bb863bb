package docs

import (
	"net/http"
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
	}{query, find(s.search, query)}})
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
