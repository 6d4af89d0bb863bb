package token

import (
	"encoding/hex"

	"github.com/avelto/convo/internal/platform/postgres"
)

// Channel is where the database announces changed tokens, by a trigger on api_tokens, for
// the authenticator to forget them. While it does not listen, the cache stays empty and
// unused.
func (a *Authenticator) Channel() postgres.Channel {
	return postgres.Channel{
		Name:   "token_changed",
		Up:     func() { a.setListening(true) },
		Down:   func() { a.setListening(false) },
		Notice: a.hear,
	}
}

func (a *Authenticator) hear(payload string) {
	var hash Hash
	if n, err := hex.Decode(hash[:], []byte(payload)); err != nil || n != len(hash) {
		a.setListening(true) // not one of ours: forget everything
		return
	}
	a.forget(hash)
}
