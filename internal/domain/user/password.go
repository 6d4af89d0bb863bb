package user

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/alexedwards/argon2id"
)

// params is the second configuration that OWASP's Password Storage Cheat Sheet recommends
// for argon2id: 19 MiB, two passes, no parallelism.
var params = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// maxConcurrent bounds the memory of concurrent hashing.
const maxConcurrent = 2

// Hasher hashes passwords with argon2id (RFC 9106), at most maxConcurrent at a time.
type Hasher struct {
	slots  chan struct{}
	nobody string // the hash of an unknown password
}

// nobodyHash is the hash of 32 random bytes that were not kept. A comparison with it takes as
// long as with a user's hash.
const nobodyHash = "$argon2id$v=19$m=19456,t=2,p=1$/Xkosmn1yxOE23NFd9tPgw$0TawkJgVkXcB0p/SHqeYVfCcoSSYxyPpVzT/oDiaIyQ"

// NewHasher returns a hasher.
func NewHasher() *Hasher {
	return &Hasher{slots: make(chan struct{}, maxConcurrent), nobody: nobodyHash}
}

func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
}

// Hash returns the hash of a password with a new salt, in the PHC string format.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	hash, err := argon2id.CreateHash(password, &params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// Matches reports whether a hash is of this password, in constant time.
func (h *Hasher) Matches(ctx context.Context, password, hash string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	matches, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return matches, nil
}

// NewPassword returns a random password that is easy to copy: 80 bits in four groups.
func NewPassword() string {
	random := make([]byte, 10)
	_, _ = rand.Read(random) // never fails
	text := strings.ToLower(base32.StdEncoding.EncodeToString(random))
	return strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-")
}
