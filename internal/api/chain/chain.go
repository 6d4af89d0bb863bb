// Package chain says how the resources that the samples of the documentation and the
// Postman collection use are created, so that both work in any workspace, also in an
// empty one.
package chain

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/spec"
)

// Recipe creates or finds what a variable names.
type Recipe struct {
	Variable string `json:"variable"`
	Method   string `json:"method"`
	Path     string `json:"path"` // variables are in double braces, as in Postman
	Type     string `json:"type,omitempty"`
	Body     string `json:"body,omitempty"`
	// Field is the path to the value in the response, such as 0.id.
	Field string `json:"field"`
	// Wait repeats the request until the response has the field.
	Wait bool `json:"wait,omitempty"`
	// After are variables to create first that the request does not contain.
	After []string `json:"after,omitempty"`
}

// Unique is a variable with a new value each time, for names that a workspace can have
// once.
const Unique = "unique"

// Provider is the variable whose value is a name, not an id.
const Provider = "provider"

// Recipes are in an order in which each needs only earlier ones.
func Recipes() []Recipe {
	const (
		email = `{"type":"EMAIL","name":"Orders","agentId":"{{agentId}}","config":{"fromAddress":"orders@example.com","inbound":"mailgun",` +
			`"smtp":{"host":"smtp.example.com","port":465,"security":"tls"}},"credentials":{"mailgunSigningKey":"your-key"}}`
		slack = `{"type":"SLACK","name":"Support","agentId":"{{agentId}}","config":{"clientId":"1234.5678"},` +
			`"credentials":{"clientSecret":"your-client-secret-of-slack","signingSecret":"your-signing-secret-of-slack"}}`
		agent      = `{"name":"Sales agent","modelProvider":"builtin","modelName":"builtin","systemPrompt":"You help visitors to find the right shoe.","status":"PUBLISHED"}`
		evaluation = `{"name":"Shoes","cases":[{"id":"returns","ask":["How long may I return shoes?"],"expect":{"outcome":"ANSWERED","facts":["30 days"]}}]}`
		start      = `{"channelId":"{{channelId}}","to":"anna@example.com","subject":"Your order","content":"Hi Anna, your shoes have arrived."}`
		hook       = `{"type":"WEBHOOK","url":"https://hooks.example.com/avelto","events":["lead.created"]}`
	)
	return []Recipe{
		post("leadId", "/leads", `{"fields":{"name":"Anna Nowak"}}`),
		post("operatorId", "/operators", `{"name":"Ola Kowalska"}`),
		post("tagId", "/tags", `{"name":"reseller {{unique}}"}`),
		post("agentId", "/agents", agent),
		post("evaluationId", "/agents/{{agentId}}/evaluations", evaluation),
		post("channelId", "/channels", email),
		post("slackChannelId", "/channels", slack),
		post("conversationId", "/conversations", start),
		get("messageId", "/conversations/{{conversationId}}/messages", "0.id"),
		get("contactId", "/conversations/{{conversationId}}", "contact.id"),
		{Variable: "jobId", Method: http.MethodPost, Path: "/knowledge/upload", Type: "text/markdown", Body: "Shoes can be returned within 30 days.", Field: "id"},
		// Not the job above, which a sample cancels: the first job of a source takes it along.
		{Variable: "uploadId", Method: http.MethodPost, Path: "/knowledge/upload", Type: "text/markdown", Body: "Orders arrive within 3 days.", Field: "id"},
		get("sourceId", "/knowledge/jobs/{{uploadId}}", "sourceId"),
		post("webhookId", "/integrations/webhook", hook),
		{
			Variable: "deliveredLeadId", Method: http.MethodPost, Path: "/leads", Type: jsonType, Body: `{"fields":{"name":"Anna Nowak"}}`, Field: "id",
			After: []string{"webhookId"},
		},
		{
			Variable: "deliveryId", Method: http.MethodGet, Path: "/integrations/{{webhookId}}/deliveries", Field: "0.id", Wait: true,
			After: []string{"deliveredLeadId"},
		},
		{Variable: Provider, Method: http.MethodPatch, Path: "/model-providers/openai", Type: jsonType, Body: `{"apiKey":"your-api-key"}`, Field: "provider"},
	}
}

const jsonType = "application/json"

func post(variable, path, body string) Recipe {
	return Recipe{Variable: variable, Method: http.MethodPost, Path: path, Type: jsonType, Body: body, Field: "id"}
}

func get(variable, path, field string) Recipe {
	return Recipe{Variable: variable, Method: http.MethodGet, Path: path, Field: field}
}

var placeholder = regexp.MustCompile(`\{\{(\w+)\}\}`)

// Needs returns the variables that the recipe needs directly.
func (r Recipe) Needs() []string { return append(Variables(r.Path+r.Body), r.After...) }

// Variables returns the variables in a text.
func Variables(text string) []string {
	var all []string
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		if found[1] != Unique && !slices.Contains(all, found[1]) {
			all = append(all, found[1])
		}
	}
	return all
}

// Replace replaces the variables in a text.
func Replace(text string, value func(variable string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string { return value(strings.Trim(found, "{}")) })
}

// For returns the recipes of variables and of those that they need, in order.
func For(variables []string) []Recipe {
	all := Recipes()
	wanted := map[string]bool{}
	for _, variable := range variables {
		wanted[variable] = true
	}
	for _, r := range slices.Backward(all) {
		if wanted[r.Variable] {
			for _, variable := range r.Needs() {
				wanted[variable] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(r Recipe) bool { return !wanted[r.Variable] })
}

// Lost returns the variables whose resources are gone after the resource of a variable
// was deleted.
func Lost(variable string) []string {
	lost := []string{variable}
	for _, r := range Recipes() {
		if slices.ContainsFunc(r.Needs(), func(needed string) bool { return slices.Contains(lost, needed) }) {
			lost = append(lost, r.Variable)
		}
	}
	return lost
}

// parameters are the variables of path parameters, by the path up to the parameter.
var parameters = map[string]string{
	"/leads/{id}": "leadId", "/conversations/{id}": "conversationId", "/conversations/{id}/messages/{messageId}": "messageId",
	"/contacts/{id}": "contactId", "/operators/{id}": "operatorId", "/tags/{id}": "tagId", "/agents/{id}": "agentId", "/agents/{id}/evaluations/{evaluationId}": "evaluationId", "/channels/{id}": "channelId",
	"/knowledge/jobs/{id}": "jobId", "/knowledge/sources/{id}": "sourceId", "/integrations/{id}": "webhookId",
	"/integrations/{id}/deliveries/{deliveryId}": "deliveryId", "/model-providers/{provider}": Provider,
}

// authorize is the operation that only a channel for Slack has.
const authorize = "authorizeChannel"

// Parameter returns the variable of a path parameter, or "" if its example is the value.
func Parameter(o *spec.Operation, name string) string {
	before, _, _ := strings.Cut(o.Path, "{"+name+"}")
	variable := parameters[before+"{"+name+"}"]
	if o.ID == authorize && variable == "channelId" {
		return "slackChannelId"
	}
	return variable
}

// bodies are the properties of request bodies that name resources.
var bodies = regexp.MustCompile(`"(agentId|channelId)":\s*"[0-9a-f-]{36}"|"ids":\s*\[[^\]]*\]`)

// Body returns the example of a request body with variables for the resources in it.
func Body(raw json.RawMessage) json.RawMessage {
	return bodies.ReplaceAllFunc(raw, func(found []byte) []byte {
		name := strings.Split(string(found), `"`)[1]
		if name == "ids" {
			return []byte(`"ids": ["{{conversationId}}"]`)
		}
		return []byte(`"` + name + `": "{{` + name + `}}"`)
	})
}

// Provided reports whether the operation can succeed only with the account of a provider
// or with what a contact sent. Its sample shows the call; in a workspace that has neither,
// the response is a documented refusal.
func Provided(o *spec.Operation) bool {
	switch o.ID {
	case "sendTemplateMessage", "listChannelTemplates", "getAttachment":
		return true
	}
	return false
}
