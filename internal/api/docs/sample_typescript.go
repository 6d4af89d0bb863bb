package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/internal/api/chain"
	"github.com/avelto/convo/internal/api/spec"
)

// typescript returns a program that calls the operation with the SDK: path parameters
// first, then the body or the query.
func typescript(base string, o *spec.Operation, e spec.Example) (string, error) {
	var arguments []string
	for _, p := range o.Parameters {
		if p.In != openapi3.ParameterInPath {
			continue
		}
		argument := fmt.Sprint(p.Example)
		if variable := chain.Parameter(o, p.Name); variable != "" && variable != chain.Provider {
			argument = nodeVariable(variable)
		} else if !p.Schema.Value.Type.Is(openapi3.TypeInteger) {
			argument = quote(argument)
		}
		arguments = append(arguments, argument)
	}
	before := ""
	switch {
	case e.File != "":
		before = "import { openAsBlob } from 'node:fs';\n"
		arguments = append(arguments, fmt.Sprintf("await openAsBlob(%s, { type: %s })", quote(e.File), quote(e.ContentType)), fmt.Sprintf("{ name: %s }", quote(e.File)))
	case e.Body != nil:
		literal, err := object(chain.Body(e.Body), "")
		if err != nil {
			return "", err
		}
		arguments = append(arguments, literal)
	case len(e.Query) > 0:
		arguments = append(arguments, query(o, e))
	}
	call := fmt.Sprintf("await client.%s(%s);", o.SDKMethod, strings.Join(arguments, ", "))
	if name := resultName(o); name != "" {
		call = "const " + name + " = " + call
	}
	return before + "import { AveltoClient } from '@convo/sdk';\n\n" +
		newClient(base) + call, nil
}

// newClient creates a client of the server. The hosted service is the SDK's default.
func newClient(base string) string {
	if base == hostedOrigin+spec.BasePath {
		return "const client = new AveltoClient({ apiKey: process.env.AVELTO_TOKEN! });\n"
	}
	return "const client = new AveltoClient({\n  apiKey: process.env.AVELTO_TOKEN!,\n  baseUrl: " + quote(base) + ",\n});\n"
}

// resultName names the result variable: a list after its items.
func resultName(o *spec.Operation) string {
	names := strings.Split(o.SDKMethod, ".")
	resource, method := names[len(names)-2], names[len(names)-1]
	switch {
	case o.Method == http.MethodDelete:
		return ""
	case method == "list":
		return resource
	case strings.HasPrefix(method, "list"):
		return strings.ToLower(method[4:5]) + method[5:]
	}
	return "result"
}

func query(o *spec.Operation, e spec.Example) string {
	var properties []string
	for _, q := range e.Query {
		value := quote(q.Value)
		for _, p := range o.Parameters {
			if p.Name == q.Name && p.Schema.Value.Type.Is("integer") {
				value = q.Value
			}
		}
		properties = append(properties, q.Name+": "+value)
	}
	return "{ " + strings.Join(properties, ", ") + " }"
}

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// object formats JSON as a TypeScript literal.
func object(raw json.RawMessage, margin string) (string, error) {
	raw = bytes.TrimSpace(raw)
	inner := margin + "  "
	var parts []string
	switch raw[0] {
	case '{':
		properties, err := spec.ParseObject(raw)
		if err != nil {
			return "", err
		}
		for _, m := range properties {
			value, err := object(m.Value, inner)
			if err != nil {
				return "", err
			}
			name := m.Name
			if !identifier.MatchString(name) {
				name = quote(name)
			}
			parts = append(parts, name+": "+value)
		}
		return wrap("{", "}", " ", parts, margin), nil
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return "", fmt.Errorf("example: %w", err)
		}
		for _, item := range items {
			value, err := object(item, inner)
			if err != nil {
				return "", err
			}
			parts = append(parts, value)
		}
		return wrap("[", "]", "", parts, margin), nil
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", fmt.Errorf("example: %w", err)
		}
		if names := chain.Variables(text); len(names) == 1 {
			return nodeVariable(names[0]), nil
		}
		return quote(text), nil
	}
	return string(raw), nil
}

const lineWidth = 60

// wrap puts short literals on one line.
func wrap(open, closing, space string, parts []string, margin string) string {
	return wrapBy(open, closing, space, parts, margin, "  ")
}

// wrapBy is wrap with an indentation.
func wrapBy(open, closing, space string, parts []string, margin, indentation string) string {
	line := open + space + strings.Join(parts, ", ") + space + closing
	if len(line) <= lineWidth && !strings.Contains(line, "\n") {
		return line
	}
	inner := "\n" + margin + indentation
	return open + inner + strings.Join(parts, ","+inner) + ",\n" + margin + closing
}

func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(text) + "'"
}

// nodeVariable reads the environment variable of a variable.
func nodeVariable(variable string) string { return "process.env." + environment(variable) + "!" }
