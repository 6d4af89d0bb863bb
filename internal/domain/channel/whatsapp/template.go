package whatsapp

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// maxTemplates is how many templates are asked for at a time: more would not fit into the
// response that is read.
const maxTemplates = 100

// definition is a template of a business account
// (https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates).
type definition struct {
	Name       string      `json:"name"`
	Language   string      `json:"language"`
	Category   string      `json:"category"`
	Status     string      `json:"status"`
	Format     string      `json:"parameter_format"`
	Components []component `json:"components"`
}

type component struct {
	Type    string `json:"type"`
	Format  string `json:"format"` // of a header
	Text    string `json:"text"`
	Buttons []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"buttons"`
}

// Templates implements provider.Templater.
func (p *Provider) Templates(ctx context.Context, c provider.Channel, after string, limit int) ([]provider.Template, string, error) {
	query := url.Values{"limit": {strconv.Itoa(min(limit, maxTemplates))}}
	if after != "" {
		query.Set("after", after)
	}
	return p.templates(ctx, c, query)
}

// Template implements provider.Templater. Meta also finds names that contain the name.
func (p *Provider) Template(ctx context.Context, c provider.Channel, name, language string) (provider.Template, bool, error) {
	query := url.Values{"name": {name}, "language": {language}, "limit": {strconv.Itoa(maxTemplates)}}
	found, _, err := p.templates(ctx, c, query)
	for _, one := range found {
		if one.Name == name && one.Language == language {
			return one, true, err
		}
	}
	return provider.Template{}, false, err
}

// templates reads a page of approved templates.
func (p *Provider) templates(ctx context.Context, c provider.Channel, query url.Values) (found []provider.Template, next string, err error) {
	settings, err := configOf(c)
	if err != nil {
		return nil, "", err
	}
	query.Set("status", "APPROVED")
	query.Set("fields", "name,language,category,status,parameter_format,components")
	var page struct {
		Data   []definition `json:"data"`
		Paging struct {
			Cursors struct {
				After string `json:"after"`
			} `json:"cursors"`
			Next string `json:"next"`
		} `json:"paging"`
	}
	call := meta.Call{Method: http.MethodGet, Path: "/" + settings.BusinessAccountID + "/message_templates?" + query.Encode(), Header: bearer(c), Safe: true}
	if err := p.graph().Do(ctx, c, call, &page); err != nil {
		return nil, "", err
	}
	for _, one := range page.Data {
		found = append(found, one.template())
	}
	if page.Paging.Next != "" { // the last page has a cursor as well
		next = page.Paging.Cursors.After
	}
	return found, next, nil
}

func (d definition) template() provider.Template {
	t := provider.Template{Name: d.Name, Language: d.Language, Category: d.Category, Status: d.Status, Named: d.Format == "NAMED"}
	for _, one := range d.Components {
		switch one.Type {
		case "BODY":
			t.Body = one.Text
		case "FOOTER":
		default:
			t.Unsendable = t.Unsendable || one.needsValues()
		}
	}
	return t
}

// needsValues reports whether a part of a template other than its body cannot be sent
// without values, or may not be: parts that are not known.
func (c component) needsValues() bool {
	switch c.Type {
	case "HEADER":
		return c.Format != "TEXT" || strings.Contains(c.Text, "{{")
	case "BUTTONS":
		for _, one := range c.Buttons {
			switch one.Type {
			case "QUICK_REPLY", "PHONE_NUMBER":
			case "URL":
				if strings.Contains(one.URL, "{{") {
					return true
				}
			default:
				return true
			}
		}
		return false
	}
	return true
}

// template is a template as a message has it.
func template(t provider.TemplateMessage) map[string]any {
	message := map[string]any{"name": t.Name, "language": map[string]string{"code": t.Language}}
	if len(t.Parameters) == 0 {
		return message
	}
	parameters := make([]map[string]string, len(t.Parameters))
	for i, one := range t.Parameters {
		parameters[i] = map[string]string{"type": "text", "text": one.Text}
		if one.Name != "" {
			parameters[i]["parameter_name"] = one.Name
		}
	}
	message["components"] = []map[string]any{{"type": "body", "parameters": parameters}}
	return message
}
