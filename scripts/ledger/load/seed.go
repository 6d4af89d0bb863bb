//go:build linux

package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/scripts/ledger/check"
)

// Ground is what clients find in the workspace.
type Ground struct {
	Workspace uuid.UUID
	Groups    [][check.GroupSize]string
	Operators []string
}

// Seed inserts operators and groups of conversations, which no operation of the API creates.
func Seed(ctx context.Context, databaseURL, slug string, groups int) (*Ground, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	defer conn.Close(ctx)
	g := &Ground{}
	if err := conn.QueryRow(ctx, "SELECT id FROM workspaces WHERE slug = $1", slug).Scan(&g.Workspace); err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	const operators = 2
	for range operators {
		id := uuid.NewString()
		if _, err := conn.Exec(ctx, "INSERT INTO operators (workspace_id, id, name, created_at) VALUES ($1, $2, 'Ola', now())", g.Workspace, id); err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
		g.Operators = append(g.Operators, id)
	}
	return g, g.conversations(ctx, conn, groups)
}

func (g *Ground) conversations(ctx context.Context, conn *pgx.Conn, groups int) error {
	agent, channel, contact := uuid.New(), uuid.New(), uuid.New()
	_, err := conn.Exec(ctx, `WITH agent AS (
			INSERT INTO agents (workspace_id, id, name, status, model_provider, model_name, temperature, max_tokens, created_at, updated_at)
			VALUES ($1, $2, 'Agent', 'PUBLISHED', 'openai', 'gpt', 1, 1024, now(), now())
		), contact AS (
			INSERT INTO contacts (workspace_id, id, name, created_at) VALUES ($1, $4, 'Anna', now())
		)
		INSERT INTO channels (workspace_id, id, type, name, agent_id, created_at) VALUES ($1, $3, 'WEBSITE', 'Site', $2, now())`,
		g.Workspace, agent, channel, contact)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	for range groups {
		var group [check.GroupSize]string
		for i := range group {
			group[i] = uuid.NewString()
			_, err := conn.Exec(ctx, `INSERT INTO conversations (workspace_id, id, agent_id, channel_id, contact_id, status, created_at, updated_at)
				VALUES ($1, $2, $3, $4, $5, 'OPEN', now(), now())`, g.Workspace, group[i], agent, channel, contact)
			if err != nil {
				return fmt.Errorf("seed: %w", err)
			}
		}
		g.Groups = append(g.Groups, group)
	}
	if _, err := conn.Exec(ctx, "SELECT rebuild_analytics()"); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return nil
}

// Webhook is a created webhook.
type Webhook struct {
	ID            uuid.UUID `json:"id"`
	SigningSecret string    `json:"signingSecret"`
}

// EventTypes are those that the clients cause.
var EventTypes = []string{
	"lead.created", "lead.status_changed", "conversation.closed", "conversation.reopened", "conversation.assigned",
}

// CreateWebhook creates a webhook.
func CreateWebhook(ctx context.Context, client *Client, address string) (hook Webhook, err error) {
	body := fmt.Sprintf(`{"type":"WEBHOOK","url":"http://%s/hook","events":["%s"]}`, address, strings.Join(EventTypes, `","`))
	out := client.send(ctx, request{method: http.MethodPost, path: "/integrations/webhook", body: body}, "webhook")
	if !out.ok() {
		return hook, fmt.Errorf("create webhook: %d %s", out.status, out.body)
	}
	return hook, json.Unmarshal(out.body, &hook)
}

// DisableWebhook disables a webhook.
func DisableWebhook(ctx context.Context, client *Client, hook Webhook) error {
	out := client.send(ctx, request{method: http.MethodPatch, path: "/integrations/" + hook.ID.String(), body: `{"status":"DISABLED"}`}, "webhook")
	if !out.ok() {
		return errors.New("disable webhook: " + string(out.body))
	}
	return nil
}
