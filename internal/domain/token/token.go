// Package token manages API tokens: their format, their scopes, and their lifecycle from
// creation to revocation.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
)

// Prefix is the start of every token.
const Prefix = "convo_"

const digits = 32 // hexadecimal digits after the prefix: 128 random bits

// Hash is the SHA-256 of a token's plaintext, which itself is not stored.
type Hash [sha256.Size]byte

// Mint returns the plaintext of a new token.
func Mint() string {
	random := make([]byte, digits/2)
	_, _ = rand.Read(random) // never fails
	return Prefix + hex.EncodeToString(random)
}

// Parse returns the hash of a plaintext. ok is false if it does not have the format of a
// token: the prefix and 32 lowercase hexadecimal digits.
func Parse(plaintext string) (hash Hash, ok bool) {
	if len(plaintext) != len(Prefix)+digits || plaintext[:len(Prefix)] != Prefix {
		return Hash{}, false
	}
	for _, c := range []byte(plaintext[len(Prefix):]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Hash{}, false
		}
	}
	return sha256.Sum256([]byte(plaintext)), true
}

// Principal is the caller of a request: a live token.
type Principal struct {
	WorkspaceID uuid.UUID
	TokenID     uuid.UUID
	Scopes      []api.Scope
	// RateLimit is the workspace's own number of requests per minute and route, or 0.
	RateLimit int
	// KnowledgeScopes says that the workspace requires a scope for changes to knowledge.
	KnowledgeScopes bool
}

// MissingScopeError means that a token lacks a scope.
type MissingScopeError struct{ Scope api.Scope }

// Error implements error.
func (e *MissingScopeError) Error() string { return "token: missing scope " + string(e.Scope) }

// Has reports whether the token carries a scope.
func (p *Principal) Has(scope api.Scope) bool { return slices.Contains(p.Scopes, scope) }
