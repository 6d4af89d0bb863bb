package reply

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/tools"
)

const (
	// maxText is the longest reply, and maxQuote the longest quotation, in runes.
	maxText  = 4000
	maxQuote = 600
)

var (
	citation = regexp.MustCompile(`\s*\[(\d{1,3})\]`)
	// link is a Markdown link, of which the text stays. address is a URL: what a model writes
	// may be copied from a message, so that visitors get addresses from the server alone.
	link    = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	address = regexp.MustCompile(`(?i)<?\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s>]+>?`)
	spaces  = regexp.MustCompile(`[ \t]{2,}`)
)

// cite returns the text of a model without what it must not write, and the passages that it
// cites, numbered in the order of the text. Numbers of passages that were not found in this
// run are dropped.
func cite(content string, session *tools.Session) (string, []api.Citation) {
	content = strings.ReplaceAll(strings.ToValidUTF8(content, "\uFFFD"), "\x00", "")
	content = address.ReplaceAllString(link.ReplaceAllString(content, "$1"), "")
	var cited []api.Citation
	numbers := map[int]int{} // of the run: of the text
	content = citation.ReplaceAllStringFunc(content, func(mark string) string {
		number, _ := strconv.Atoi(citation.FindStringSubmatch(mark)[1])
		passage, ok := session.Passage(number)
		if !ok {
			return ""
		}
		if numbers[number] == 0 {
			numbers[number] = len(cited) + 1
			cited = append(cited, shown(passage, len(cited)+1))
		}
		return fmt.Sprintf(" [%d]", numbers[number])
	})
	return dialogue.Cut(strings.TrimSpace(spaces.ReplaceAllString(content, " ")), maxText), cited
}

func shown(p tools.Passage, index int) api.Citation {
	return api.Citation{
		Index: int32(index), SourceID: p.SourceID, Title: p.Title, URL: p.URL, Page: p.Page, Quote: dialogue.Cut(p.Text, maxQuote),
	}
}
