package simulator

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// whatsAppTemplate is a template of the business account.
type whatsAppTemplate struct {
	Name, Language, Category, Status, Format, Header, Body string
}

// whatsAppTemplates are those of the account. One was rejected, and one needs an image.
var whatsAppTemplates = []whatsAppTemplate{
	{"order_update", "en", "UTILITY", "APPROVED", "POSITIONAL", "", "Hello {{1}}, your order {{2}} is on its way. Thank you, {{1}}!"},
	{"order_update", "pl", "UTILITY", "APPROVED", "POSITIONAL", "", "Cześć {{1}}, zamówienie {{2}} jest w drodze. Dziękujemy, {{1}}!"},
	{"back_in_stock", "en", "MARKETING", "APPROVED", "NAMED", "", "{{product}} is back, {{first_name}}."},
	{"follow_up", "en", "UTILITY", "APPROVED", "POSITIONAL", "", "There is news about your order. Reply to receive it."},
	{"new_collection", "en", "MARKETING", "APPROVED", "POSITIONAL", "IMAGE", "Have you seen the new collection?"},
	{"free_money", "en", "MARKETING", "REJECTED", "POSITIONAL", "", "Free money!"},
}

// templates lists templates, in pages.
func (*WhatsApp) templates(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	matching := slices.DeleteFunc(slices.Clone(whatsAppTemplates), func(t whatsAppTemplate) bool {
		return !strings.Contains(t.Name, query.Get("name")) || !strings.HasPrefix(t.Language, query.Get("language")) ||
			query.Get("status") != "" && !strings.EqualFold(t.Status, query.Get("status"))
	})
	const defaultLimit = 25
	from, size := 0, defaultLimit
	if after := query.Get("after"); after != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(after, "after-"))
		if err != nil || n < 0 || n > len(matching) {
			Write(w, metaError(http.StatusBadRequest, 100, 0, "(#100) Invalid cursor"))
			return
		}
		from = n
	}
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n > 0 {
		size = n
	}
	to := min(from+size, len(matching))
	listed := []any{}
	for _, one := range matching[from:to] {
		listed = append(listed, one.definition())
	}
	paging := map[string]any{"cursors": map[string]any{"before": "before-" + strconv.Itoa(from), "after": "after-" + strconv.Itoa(to)}}
	if to < len(matching) {
		paging["next"] = "https://graph.facebook.com" + r.URL.Path
	}
	Write(w, Response{Status: http.StatusOK, Body: map[string]any{"data": listed, "paging": paging}})
}

func (t whatsAppTemplate) definition() map[string]any {
	components := []any{map[string]any{"type": "BODY", "text": t.Body}, map[string]any{"type": "FOOTER", "text": "Simulated"}}
	if t.Header != "" {
		components = append(components, map[string]any{"type": "HEADER", "format": t.Header})
	}
	return map[string]any{
		"id": t.Name + "." + t.Language, "name": t.Name, "language": t.Language, "category": t.Category, "status": t.Status,
		"parameter_format": t.Format, "components": components,
	}
}

// whatsAppTemplateMessage is a template to send.
type whatsAppTemplateMessage struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []struct {
		Type       string `json:"type"`
		Parameters []struct {
			Name string `json:"parameter_name"`
			Text string `json:"text"`
		} `json:"parameters"`
	} `json:"components"`
}

var whatsAppPlaceholder = regexp.MustCompile(`\{\{([a-z0-9_]+)\}\}`)

// fill returns the text of the template, or why it is refused.
func (m whatsAppTemplateMessage) fill() (text string, refused *Response) {
	i := slices.IndexFunc(whatsAppTemplates, func(t whatsAppTemplate) bool {
		return t.Name == m.Name && t.Language == m.Language.Code && t.Status == "APPROVED"
	})
	if i < 0 {
		unknown := metaError(http.StatusNotFound, 132001, 0, "(#132001) Template name does not exist in the translation")
		return "", &unknown
	}
	values := map[string]string{}
	for _, component := range m.Components {
		for n, one := range component.Parameters {
			key := one.Name
			if key == "" {
				key = strconv.Itoa(n + 1)
			}
			values[component.Type+"."+key] = one.Text
		}
	}
	missing, known := whatsAppTemplates[i].Header != "", map[string]bool{}
	text = whatsAppPlaceholder.ReplaceAllStringFunc(whatsAppTemplates[i].Body, func(found string) string {
		key := "body." + strings.Trim(found, "{}")
		known[key], missing = true, missing || values[key] == ""
		return values[key]
	})
	if missing || len(known) != len(values) {
		mismatch := metaError(http.StatusBadRequest, 132000, 0, "(#132000) Number of parameters does not match the expected number of params")
		return "", &mismatch
	}
	return text, nil
}
