// Package seal encrypts secrets that the server must read again, under a key that
// is not in the database.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	keyBytes = 32
	// version is the first sealed byte, so that the scheme can change.
	version = 1
)

// ErrBroken means that sealed bytes were altered, or were sealed with another key,
// purpose or place.
var ErrBroken = errors.New("seal: cannot be opened with this key")

// Box encrypts with AES-256-GCM, under a key derived from the operator's by HKDF (RFC
// 5869). It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// New returns a box for one purpose, from the operator's secret key. Boxes for different
// purposes cannot open each other's secrets.
func New(key []byte, purpose string) (*Box, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, purpose, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	return &Box{aead: aead}, nil
}

// Seal encrypts a secret. It can be opened with the same place only, such as the id of
// its row, so that a secret copied into another row is useless.
func (b *Box) Seal(secret string, place []byte) []byte {
	return b.aead.Seal([]byte{version}, nil, []byte(secret), place) //nolint:gosec // NewGCMWithRandomNonce adds a random nonce itself
}

// Open decrypts a secret, or returns ErrBroken.
func (b *Box) Open(sealed, place []byte) (string, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return "", ErrBroken
	}
	secret, err := b.aead.Open(nil, nil, sealed[1:], place)
	if err != nil {
		return "", ErrBroken
	}
	return string(secret), nil
}
