package signature_test

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/webhook/signature"
)

// TestSignMatchesTheVectors checks both schemes against the file that the SDK's tests
// use too.
func TestSignMatchesTheVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/signatures.json")
	require.NoError(t, err)
	var vectors []struct {
		Name      string   `json:"name"`
		Secrets   []string `json:"secrets"`
		ID        string   `json:"id"`
		Timestamp int64    `json:"timestamp"`
		Body      string   `json:"body"`
		Convo     string   `json:"convo"`
		Standard  string   `json:"standard"`
	}
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		header := http.Header{}
		signature.Sign(header, v.Secrets, v.ID, time.Unix(v.Timestamp, 0), []byte(v.Body))
		require.Equal(t, v.Convo, header.Get("X-Convo-Signature"), v.Name)
		require.Equal(t, v.Standard, header.Get("webhook-signature"), v.Name)
	}
}
