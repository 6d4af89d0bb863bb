package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/chain"
	"github.com/avelto/convo/internal/api/spec"
)

// prepareScript creates what a request needs, before it is sent.
//
//go:embed prepare.js
var prepareScript string

// prepare returns the script that runs before every request.
func prepare() ([]event, error) {
	var recipes bytes.Buffer
	encoder := json.NewEncoder(&recipes)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(chain.Recipes()); err != nil {
		return nil, fmt.Errorf("recipes: %w", err)
	}
	text := strings.Replace(prepareScript, "RECIPES", strings.TrimSpace(recipes.String()), 1)
	return []event{{Listen: "prerequest", Script: script{Type: "text/javascript", Exec: strings.Split(strings.TrimSpace(text), "\n")}}}, nil
}

// refusals are the statuses with which an operation that needs a provider refuses a
// request in a workspace without one, and that of a job that was faster than its
// cancellation.
func refusals(operation *spec.Operation) []string {
	switch {
	case chain.Provided(operation):
		return []string{"404", "409", "422"}
	case operation.ID == "cancelKnowledgeJob":
		return []string{"409"}
	}
	return nil
}

// check asserts that the response matches the documented success response, and keeps what
// it created for later requests.
func check(operation *spec.Operation) event {
	status, typed, empty := "", false, false
	for code, response := range operation.Definition.Responses.Map() {
		if strings.HasPrefix(code, "2") {
			status, typed, empty = code, response.Value.Content.Get("application/json") != nil, len(response.Value.Content) == 0
		}
	}
	lines := []string{"pm.test('has a request ID', () => pm.response.to.have.header('X-Request-Id'));"}
	condition := ""
	if refused := refusals(operation); refused != nil {
		condition = "if (pm.response.code < 400) "
		expected := strings.Join(append([]string{status}, refused...), ", ")
		lines = append(lines, fmt.Sprintf("pm.test('returns status %s, or a documented refusal', () => pm.expect(pm.response.code).to.be.oneOf([%s]));", status, expected))
	} else {
		lines = append(lines, fmt.Sprintf("pm.test('returns status %s', () => pm.response.to.have.status(%s));", status, status))
	}
	switch {
	case typed:
		lines = append(lines,
			condition+"pm.test('is JSON', () => pm.expect(pm.response.headers.get('Content-Type')).to.match(/^application\\/json/));",
			condition+"pm.test('can be parsed', () => pm.response.json());")
	case empty:
		lines = append(lines, "pm.test('has no body', () => pm.expect(pm.response.text()).to.equal(''));")
	}
	return event{Listen: "test", Script: script{Type: "text/javascript", Exec: append(lines, keep(operation)...)}}
}

// keep returns the lines that store the id of a created resource, or forget that of a
// deleted one.
func keep(operation *spec.Operation) []string {
	if operation.Method == http.MethodDelete {
		last := operation.Parameters[len(operation.Parameters)-1]
		var lines []string
		for _, name := range chain.Lost(chain.Parameter(operation, last.Name)) {
			lines = append(lines, fmt.Sprintf("pm.collectionVariables.unset('%s');", name))
		}
		return lines
	}
	same := func(r chain.Recipe) bool {
		return r.Method == http.MethodPost && r.Path == operation.Path && r.After == nil
	}
	recipes := chain.Recipes()
	i := slices.IndexFunc(recipes, same)
	// What an example creates is not always what other requests need: a channel of another
	// type, or an agent that is not published.
	if operation.Method != http.MethodPost || i < 0 || slices.Contains([]string{"/channels", "/agents"}, operation.Path) {
		return nil
	}
	return []string{fmt.Sprintf("if (pm.response.code < 300) pm.collectionVariables.set('%s', pm.response.json().id);", recipes[i].Variable)}
}
