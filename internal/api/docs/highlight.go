package docs

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// lexerNames are the lexers by the language of a sample.
var lexerNames = map[string]string{
	"curl": "bash", "shell": "bash", "typescript": "typescript", "python": "python", "go": "go", "json": "json",
}

// highlight returns code as HTML. Its tokens have one of four classes: k for keywords, s
// for strings, c for comments and n for numbers and constants.
func highlight(language, code string) (template.HTML, error) {
	name, ok := lexerNames[language]
	if !ok {
		return template.HTML(html.EscapeString(code)), nil //nolint:gosec // escaped
	}
	// Lexers expect a line break at the end, and chroma adds one that it does not remove.
	tokens, err := chroma.Coalesce(lexers.Get(name)).Tokenise(nil, code)
	if err != nil {
		return "", fmt.Errorf("highlight %s: %w", language, err)
	}
	var out, pending strings.Builder
	class := ""
	flush := func(next string) {
		switch text := html.EscapeString(pending.String()); {
		case text == "":
		case class == "":
			out.WriteString(text)
		default:
			out.WriteString(`<b class=` + class + `>` + text + `</b>`)
		}
		pending.Reset()
		class = next
	}
	for _, token := range tokens.Tokens() {
		if next := tokenClass(token.Type); next != class && strings.TrimSpace(token.Value) != "" {
			flush(next)
		}
		pending.WriteString(token.Value)
	}
	flush("")
	return template.HTML(strings.TrimSuffix(out.String(), "\n")), nil //nolint:gosec // escaped
}

func tokenClass(t chroma.TokenType) string {
	switch {
	case t.InCategory(chroma.Keyword), t == chroma.NameTag:
		return "k"
	case t.InCategory(chroma.Comment):
		return "c"
	case t.InSubCategory(chroma.LiteralString):
		return "s"
	case t.InSubCategory(chroma.LiteralNumber), t.InSubCategory(chroma.NameVariable):
		return "n"
	}
	return ""
}
