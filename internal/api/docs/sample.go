package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/internal/api/chain"
	"github.com/avelto/convo/internal/api/spec"
)

// curl returns a command line that works in a shell where AVELTO_TOKEN is set.
func curl(base string, o *spec.Operation, e spec.Example) (string, error) {
	url := strconv.Quote(base + target(o, e, shellVariable))
	lines := []string{"curl " + url}
	if o.Method != http.MethodGet {
		lines[0] = "curl -X " + o.Method + " " + url
	}
	if !o.Public {
		lines = append(lines, `-H "Authorization: Bearer $AVELTO_TOKEN"`)
	}
	for _, h := range e.Header {
		lines = append(lines, fmt.Sprintf("-H %q", h.Name+": "+h.Value))
	}
	if e.ContentType != "" {
		lines = append(lines, fmt.Sprintf("-H %q", "Content-Type: "+e.ContentType))
	}
	switch {
	case e.File != "":
		lines = append(lines, "--data-binary @"+e.File)
	case e.Body != nil:
		compact, err := compacted(chain.Body(e.Body))
		if err != nil {
			return "", err
		}
		lines = append(lines, "-d "+shellQuote(compact))
	}
	return strings.Join(lines, " \\\n  "), nil
}

func compacted(raw json.RawMessage) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "", fmt.Errorf("example: %w", err)
	}
	return compact.String(), nil
}

// environment returns the environment variable of a variable: LEAD_ID for leadId.
func environment(variable string) string {
	return strings.ToUpper(upper.ReplaceAllString(variable, "_$0"))
}

var upper = regexp.MustCompile(`[A-Z]`)

func shellVariable(variable string) string {
	if variable == chain.Unique {
		return "$(date +%s)-$$"
	}
	return "$" + environment(variable)
}

// shellQuote quotes a text with single quotes, but its variables with double quotes.
func shellQuote(text string) string {
	text = strings.ReplaceAll(text, "'", `'\''`)
	return "'" + chain.Replace(text, func(variable string) string { return `'"` + shellVariable(variable) + `"'` }) + "'"
}

// target returns the path and query of a sample, with variables for ids.
func target(o *spec.Operation, e spec.Example, value func(variable string) string) string {
	path := o.Path
	for _, p := range o.Parameters {
		if p.In != openapi3.ParameterInPath {
			continue
		}
		given := fmt.Sprint(p.Example)
		if variable := chain.Parameter(o, p.Name); variable != "" {
			if id := value(variable); variable != chain.Provider { // which has a name in place of an id
				given = id
			}
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", given)
	}
	if path == "" { // in tests
		path = e.Path
	}
	e.Path = path
	return e.Target()
}

// variables returns the variables of a sample.
func variables(o *spec.Operation, e spec.Example) []string {
	var all []string
	target(o, e, func(variable string) string {
		all = append(all, variable)
		return ""
	})
	return append(all, chain.Variables(string(chain.Body(e.Body)))...)
}

// setup returns a shell script that creates what variables name, and exports their ids.
func setup(base string, names []string) string {
	var commands []string
	for _, r := range chain.For(names) {
		line := "curl -s"
		if r.Method != http.MethodGet {
			line += " -X " + r.Method
		}
		line += ` "` + base + chain.Replace(r.Path, shellVariable) + "\" \\\n  " + `-H "Authorization: Bearer $AVELTO_TOKEN"`
		if r.Body != "" {
			line += " \\\n  -H \"Content-Type: " + r.Type + "\" \\\n  -d " + shellQuote(r.Body)
		}
		field := "." + index.ReplaceAllString(r.Field, "[$1]")
		name := environment(r.Variable)
		if r.Wait {
			commands = append(commands, "until "+name+"=$("+line+" | jq -re '"+field+"'); do sleep 1; done\nexport "+name)
			continue
		}
		commands = append(commands, "export "+name+"=$("+line+" | jq -r '"+field+"')")
	}
	return strings.Join(commands, "\n\n")
}

// index matches a number in the path to a field.
var index = regexp.MustCompile(`\b(\d+)\b`)
