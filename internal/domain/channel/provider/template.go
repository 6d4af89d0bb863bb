package provider

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	api "github.com/avelto/convo/gen/api/model"
)

// Template is a message that a provider has approved. It may be sent after the reply window.
type Template struct {
	Name, Language string
	// Category and Status are the provider's.
	Category, Status string
	// Body has its parameters in double braces, such as {{1}} or {{first_name}}.
	Body string
	// Named says that the parameters have names, not numbers.
	Named bool
	// Unsendable says that the template needs values outside of its body.
	Unsendable bool
}

// TemplateMessage is a template to send, as it is stored until it is sent.
type TemplateMessage struct {
	Name       string          `json:"name"`
	Language   string          `json:"language"`
	Parameters []TemplateValue `json:"parameters,omitempty"`
}

// TemplateValue is the value of a parameter. Name is empty if parameters are numbered.
type TemplateValue struct {
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
}

// NoTemplatesError means that a channel has no templates.
type NoTemplatesError struct{ Type api.ChannelType }

// Error implements error.
func (e *NoTemplatesError) Error() string { return "provider: no templates for " + string(e.Type) }

// TemplateValuesError means that values do not fit a template, which has Count parameters.
type TemplateValuesError struct {
	Count      int
	Unsendable bool
}

// Error implements error.
func (e *TemplateValuesError) Error() string {
	return fmt.Sprintf("provider: the template has %d parameters", e.Count)
}

var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

// Parameters are the names of the parameters in the order of their values: numbers by size,
// others as they appear.
func (t Template) Parameters() []string {
	var names []string
	for _, found := range placeholder.FindAllStringSubmatch(t.Body, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	if !t.Named {
		slices.SortStableFunc(names, func(a, b string) int { return number(a) - number(b) })
	}
	return names
}

func number(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil {
		return 0
	}
	return n
}

// Fill returns the text of the template with values, and the template as it is sent. It
// fails with *TemplateValuesError.
func (t Template) Fill(values []string) (text string, message TemplateMessage, err error) {
	names := t.Parameters()
	if len(names) != len(values) || t.Unsendable {
		return "", message, &TemplateValuesError{Count: len(names), Unsendable: t.Unsendable}
	}
	message = TemplateMessage{Name: t.Name, Language: t.Language}
	for i, value := range values {
		one := TemplateValue{Text: value}
		if t.Named {
			one.Name = names[i]
		}
		message.Parameters = append(message.Parameters, one)
	}
	text = placeholder.ReplaceAllStringFunc(t.Body, func(found string) string {
		return values[slices.Index(names, placeholder.FindStringSubmatch(found)[1])]
	})
	return text, message, nil
}
