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
	// version comes first in whatever is sealed, so that the scheme can change.
	version = 1
)

// ErrBroken means that sealed bytes were altered, or sealed under another key or
// for another place.
var ErrBroken = errors.New("seal: cannot be opened with this key")

// Box seals and opens: AES-256-GCM under a key derived from the operator's by HKDF
// (RFC 5869).
type Box struct{ aead cipher.AEAD }

// New returns a box for one purpose, from the operator's secret key.
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

// Seal encrypts a secret. It opens only with the same place, such as the id of the
// row: moved to another row it is worthless.
func (b *Box) Seal(secret string, place []byte) []byte {
	return b.aead.Seal([]byte{version}, nil, []byte(secret), place) //nolint:gosec // the nonce is random, and the cipher's own affair
}

// Open decrypts, or fails with ErrBroken.
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
