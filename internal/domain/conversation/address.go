package conversation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
)

const addressMACSize = 10

// addressEncoding has lowercase letters and digits, which mail servers leave alone.
var addressEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Addresses signs the tokens in addresses that contacts reply to, such as
// reply+TOKEN@example.com, so that a reply finds its conversation.
type Addresses struct{ keys [][]byte } // newest first

// NewAddresses returns Addresses that sign with key, and also verify what older keys
// signed.
func NewAddresses(key []byte, older ...[]byte) *Addresses {
	a := &Addresses{}
	for _, one := range append([][]byte{key}, older...) {
		mac := hmac.New(sha256.New, one)
		mac.Write([]byte("convo conversation address"))
		a.keys = append(a.keys, mac.Sum(nil))
	}
	return a
}

// Token returns the token of a conversation: 42 lowercase letters and digits.
func (a *Addresses) Token(row db.Conversation) string {
	return addressEncoding.EncodeToString(append(row.ID[:], addressMAC(a.keys[0], row.WorkspaceID, row.ChannelID, row.ID)...))
}

// conversation returns the conversation of a token, and false if the token was not made
// for one of the channel.
func (a *Addresses) conversation(channel db.Channel, token string) (uuid.UUID, bool) {
	raw, err := addressEncoding.DecodeString(strings.ToLower(token))
	if err != nil || len(raw) != len(uuid.UUID{})+addressMACSize {
		return uuid.Nil, false
	}
	conversationID := uuid.UUID(raw[:len(uuid.UUID{})])
	for _, key := range a.keys {
		if hmac.Equal(raw[len(conversationID):], addressMAC(key, channel.WorkspaceID, channel.ID, conversationID)) {
			return conversationID, true
		}
	}
	return uuid.Nil, false
}

func addressMAC(key []byte, ids ...uuid.UUID) []byte {
	mac := hmac.New(sha256.New, key)
	for _, id := range ids {
		mac.Write(id[:])
	}
	return mac.Sum(nil)[:addressMACSize]
}
