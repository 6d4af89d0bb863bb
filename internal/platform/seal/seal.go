// Package seal encrypts secrets that the server must read again, with keys that are not
// in the database.
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
	// version is the first byte of everything sealed, so that the scheme can change.
	version = 1
)

// ErrBroken means that sealed bytes were altered, or sealed with another key or place.
var ErrBroken = errors.New("seal: cannot be opened with this key")

// Box seals with one key and opens with several: AES-256-GCM with keys derived from the
// operator's by HKDF (RFC 5869). It is safe for concurrent use.
type Box struct{ keys []cipher.AEAD } // newest first

// New returns a box for one purpose. It seals with key and also opens what was sealed
// with older keys.
func New(key []byte, purpose string, older ...[]byte) (*Box, error) {
	box := &Box{}
	for _, one := range append([][]byte{key}, older...) {
		derived, err := hkdf.Key(sha256.New, one, nil, purpose, keyBytes)
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
		box.keys = append(box.keys, aead)
	}
	return box, nil
}

// Seal encrypts a secret. It can only be opened with the same place, such as the ID of
// the row, so that it is useless in another row.
func (b *Box) Seal(secret string, place []byte) []byte {
	return b.keys[0].Seal([]byte{version}, nil, []byte(secret), place) //nolint:gosec // the cipher makes a random nonce
}

// Open decrypts with the newest key that fits, or fails with ErrBroken.
func (b *Box) Open(sealed, place []byte) (string, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return "", ErrBroken
	}
	for _, key := range b.keys {
		if secret, err := key.Open(nil, nil, sealed[1:], place); err == nil {
			return string(secret), nil
		}
	}
	return "", ErrBroken
}

// Reseal returns a secret sealed with the newest key. It fails with ErrBroken.
func (b *Box) Reseal(sealed, place []byte) ([]byte, error) {
	newest := Box{keys: b.keys[:1]}
	if _, err := newest.Open(sealed, place); err == nil {
		return sealed, nil
	}
	secret, err := b.Open(sealed, place)
	if err != nil {
		return nil, err
	}
	return b.Seal(secret, place), nil
}
