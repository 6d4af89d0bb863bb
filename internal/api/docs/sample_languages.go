package docs

import (
	"encoding/json"
	"fmt"
	"go/format"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/api/chain"
	"github.com/avelto/convo/internal/api/spec"
)

// codeSample is a program in one language.
type codeSample struct{ Language, Code string }

// languages are those of the samples, in the order of their tabs.
var languages = []string{"curl", "typescript", "python", "go"}

var languageNames = map[string]string{"curl": "curl", "typescript": "TypeScript", "python": "Python", "go": "Go"}

// codeSamples returns the program that calls an operation in each language.
func codeSamples(base string, o *spec.Operation, e spec.Example) ([]codeSample, error) {
	writers := map[string]func(string, *spec.Operation, spec.Example) (string, error){
		"curl": curl, "typescript": typescript, "python": python, "go": golang,
	}
	all := make([]codeSample, len(languages))
	for i, language := range languages {
		code, err := writers[language](base, o, e)
		if err != nil {
			return nil, err
		}
		all[i] = codeSample{language, code}
	}
	return all, nil
}

// python returns a program that uses requests.
func python(base string, o *spec.Operation, e spec.Example) (string, error) {
	query := e.Query
	e.Query = nil
	address := strconv.Quote(base + target(o, e, func(variable string) string { return "{os.environ['" + environment(variable) + "']}" }))
	if strings.Contains(address, "{os.environ") {
		address = "f" + address
	}
	lines := []string{address}
	if headers := pythonHeaders(o, e); headers != "" {
		lines = append(lines, "headers="+headers)
	}
	if len(query) > 0 {
		var pairs []string
		for _, q := range query {
			pairs = append(pairs, strconv.Quote(q.Name)+": "+strconv.Quote(q.Value))
		}
		lines = append(lines, "params={"+strings.Join(pairs, ", ")+"}")
	}
	switch {
	case e.File != "":
		lines = append(lines, "data=open("+strconv.Quote(e.File)+`, "rb")`)
	case e.Body != nil:
		body, err := literal(chain.Body(e.Body), "    ", pythonScalars)
		if err != nil {
			return "", err
		}
		lines = append(lines, "json="+body)
	}
	imports := "import requests\n"
	if strings.Contains(strings.Join(lines, ""), "os.environ") {
		imports = "import os\n\n" + imports
	}
	return imports + "\nresponse = requests." + strings.ToLower(o.Method) + "(\n    " + strings.Join(append(lines, "timeout=30"), ",\n    ") +
		",\n)\nresponse.raise_for_status()\nprint(response.text)", nil
}

func pythonHeaders(o *spec.Operation, e spec.Example) string {
	var pairs []string
	if !o.Public {
		pairs = append(pairs, `"Authorization": f"Bearer {os.environ['AVELTO_TOKEN']}"`)
	}
	for _, h := range e.Header {
		pairs = append(pairs, strconv.Quote(h.Name)+": "+strconv.Quote(h.Value))
	}
	if e.File != "" {
		pairs = append(pairs, `"Content-Type": `+strconv.Quote(e.ContentType))
	}
	if len(pairs) == 0 {
		return ""
	}
	return wrapBy("{", "}", "", pairs, "    ", "    ")
}

// scalars writes the values of JSON that languages write differently.
type scalars struct {
	named    map[string]string // null, true and false
	variable func(name string) string
}

var pythonScalars = scalars{
	named:    map[string]string{"null": "None", "true": "True", "false": "False"},
	variable: func(name string) string { return `os.environ["` + environment(name) + `"]` },
}

// literal formats JSON as a literal of a language whose objects and arrays look like those
// of JSON.
func literal(raw json.RawMessage, margin string, as scalars) (string, error) {
	raw = json.RawMessage(strings.TrimSpace(string(raw)))
	inner := margin + "    "
	var parts []string
	switch raw[0] {
	case '{':
		properties, err := spec.ParseObject(raw)
		if err != nil {
			return "", err
		}
		for _, m := range properties {
			value, err := literal(m.Value, inner, as)
			if err != nil {
				return "", err
			}
			parts = append(parts, strconv.Quote(m.Name)+": "+value)
		}
		return wrapBy("{", "}", "", parts, margin, "    "), nil
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return "", fmt.Errorf("example: %w", err)
		}
		for _, item := range items {
			value, err := literal(item, inner, as)
			if err != nil {
				return "", err
			}
			parts = append(parts, value)
		}
		return wrapBy("[", "]", "", parts, margin, "    "), nil
	}
	if names := chain.Variables(string(raw)); len(names) == 1 {
		return as.variable(names[0]), nil
	}
	if name, ok := as.named[string(raw)]; ok {
		return name, nil
	}
	return string(raw), nil
}

// golang returns a program that uses the standard library.
func golang(base string, o *spec.Operation, e spec.Example) (string, error) {
	imports := []string{"io", "net/http", "os"}
	body, before := "nil", ""
	switch {
	case e.File != "":
		body, before = "file", "\tfile, err := os.Open("+strconv.Quote(e.File)+")\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tdefer file.Close()\n"
	case e.Body != nil:
		imports = append(imports, "strings")
		compact, err := compacted(chain.Body(e.Body))
		if err != nil {
			return "", err
		}
		body, before = "body", "\tbody := strings.NewReader("+goString(compact)+")\n"
	}
	address := goString(base + target(o, e, func(variable string) string { return "{{" + variable + "}}" }))
	lines := []string{"package main\n\nimport (\n\t\"" + strings.Join(imports, "\"\n\t\"") + "\"\n)\n\nfunc main() {\n" + before}
	lines = append(lines, "\trequest, err := http.NewRequest(\""+o.Method+"\", "+address+", "+body+")\n\tif err != nil {\n\t\tpanic(err)\n\t}\n")
	if !o.Public {
		lines = append(lines, "\trequest.Header.Set(\"Authorization\", \"Bearer \"+os.Getenv(\"AVELTO_TOKEN\"))\n")
	}
	for _, h := range e.Header {
		lines = append(lines, "\trequest.Header.Set("+strconv.Quote(h.Name)+", "+strconv.Quote(h.Value)+")\n")
	}
	if e.ContentType != "" {
		lines = append(lines, "\trequest.Header.Set(\"Content-Type\", "+strconv.Quote(e.ContentType)+")\n")
	}
	program := strings.Join(lines, "") + "\tresponse, err := http.DefaultClient.Do(request)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tdefer response.Body.Close()\n" +
		"\tio.Copy(os.Stdout, response.Body)\n}\n"
	formatted, err := format.Source([]byte(program))
	if err != nil {
		return "", fmt.Errorf("format sample: %w", err)
	}
	return strings.TrimSpace(string(formatted)), nil
}

// goString returns an expression of Go for a text with variables.
func goString(text string) string {
	var parts []string
	for text != "" {
		before, after, found := strings.Cut(text, "{{")
		if before != "" {
			parts = append(parts, goQuote(before))
		}
		if !found {
			break
		}
		name, rest, _ := strings.Cut(after, "}}")
		parts = append(parts, `os.Getenv("`+environment(name)+`")`)
		text = rest
	}
	return strings.Join(parts, "+")
}

func goQuote(text string) string {
	if strings.Contains(text, `"`) && !strings.Contains(text, "`") {
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}
