package apitest

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/seal"
)

// IDs of the document's examples.
var (
	exampleID    = uuid.MustParse("019dde42-9a00-7c3a-9f21-6a0b5f1d2e01")
	deliveryID   = uuid.MustParse("019dde42-9a00-7c3a-9f21-6a0b5f1d2e04")
	evaluationID = uuid.MustParse("019dde42-9a00-7c3a-9f21-6a0b5f1d2e08")
)

// Documented loads the demo data and the resources that the document's examples use: a
// webhook at webhookURL with a delivery, a source and a job. With them, every sample of
// the documentation works.
func (s *Server) Documented(t testing.TB, webhookURL string) Space {
	t.Helper()
	space, _ := s.Demo(t)
	box, err := seal.New(Key, "webhook secrets")
	require.NoError(t, err)
	now := s.Clock.Now()
	s.Exec(t, `INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, created_at, updated_at)
		VALUES ($1, $2, 'WEBHOOK', $3, '{lead.created}', 'CONNECTED', $4, $5, $5)`,
		space.ID, exampleID, webhookURL, box.Seal(signature.NewSecret(), sender.SecretContext(space.ID, exampleID)), now)
	s.Post(t, space.Token, "/leads", map[string]any{"fields": map[string]string{"name": "Anna"}}).Want(t, 201)
	s.Sequence(t)
	s.Exec(t, "UPDATE webhook_deliveries SET id = $1 WHERE workspace_id = $2 AND integration_id = $3", deliveryID, space.ID, exampleID)
	s.Exec(t, `INSERT INTO knowledge_sources (workspace_id, id, type, file_name, content_type, size_bytes, sha256, created_at, updated_at)
		VALUES ($1, $2, 'UPLOAD', 'prices.md', 'text/markdown', 1, $3, $4, $4)`, space.ID, exampleID, make([]byte, 32), now)
	s.documentedPeople(t, space)
	s.Exec(t, "INSERT INTO model_providers (workspace_id, provider, created_at, updated_at) VALUES ($1, 'openai', $2, $2)", space.ID, now)
	s.Exec(t, `INSERT INTO agent_evaluations (workspace_id, id, agent_id, system_prompt, model_provider, model_name, temperature, max_tokens, name, created_at)
		SELECT workspace_id, $3, id, system_prompt, model_provider, model_name, temperature, max_tokens, 'Shoes', $4 FROM agents WHERE workspace_id = $1 AND id = $2`,
		space.ID, exampleID, evaluationID, now)
	s.Exec(t, "INSERT INTO agent_evaluation_cases (workspace_id, evaluation_id, position, definition) VALUES ($1, $2, 1, '{}')", space.ID, evaluationID)
	s.Exec(t, "INSERT INTO knowledge_jobs (workspace_id, id, type, url, refresh, created_at) VALUES ($1, $2, 'CRAWL', 'https://docs.example.com', false, $3)",
		space.ID, exampleID, now)
	return space
}

// Check validates a response that was not received by Do or Send against the document.
func (s *Server) Check(t testing.TB, method, url string, response Response) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	s.checker.check(t, request, response)
}

// documentedPeople adds the channel, operator, contact and attachment of the examples.
func (s *Server) documentedPeople(t testing.TB, space Space) {
	t.Helper()
	now := s.Clock.Now()
	s.Exec(t, "INSERT INTO channels (workspace_id, id, type, name, agent_id, config, created_at, updated_at) VALUES ($1, $2, 'EMAIL', 'Orders', $2, $3, $4, $4)",
		space.ID, exampleID, `{"fromAddress":"orders@example.com","inbound":"mailgun","smtp":{"host":"smtp.example.com","port":465,"security":"tls"}}`, now)
	s.Exec(t, "INSERT INTO operators (workspace_id, id, name, created_at) VALUES ($1, $2, 'Ola Kowalska', $3)", space.ID, exampleID, now)
	s.Exec(t, "INSERT INTO contacts (workspace_id, id, name, created_at, updated_at) VALUES ($1, $2, 'Anna Nowak', $3, $3)", space.ID, exampleID, now)
	require.NoError(t, os.WriteFile(filepath.Join(s.Storage, "example"), []byte("shoes"), 0o600))
	s.Exec(t, `INSERT INTO attachments (workspace_id, id, message_id, type, name, content_type, size_bytes, state, blob_key, created_at)
		VALUES ($1, $2, $2, 'FILE', 'shoes.txt', 'text/plain', 5, 'STORED', 'example', $3)`, space.ID, exampleID, now)
}
