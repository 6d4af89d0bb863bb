package widget

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/platform/clock"
)

const (
	// sessionTime is how long a session lives.
	sessionTime = time.Hour
	// maxIdentityTime is how long the identity of a visitor may be valid.
	maxIdentityTime = 24 * time.Hour
	// leeway is how far the clock of a customer's server may be off.
	leeway     = time.Minute
	maxSubject = 200 // bytes of a customer's ID of a person
	keyBytes   = 32
	audience   = "convo widget"
)

// Tokens signs the tokens of sessions: JWTs (HS256).
type Tokens struct {
	clock clock.Clock
	keys  jwt.VerificationKeySet // newest first
}

// NewTokens returns a signer with a key that is derived from the operator's (RFC 5869). It
// also verifies what was signed with older ones.
func NewTokens(c clock.Clock, key []byte, older ...[]byte) (*Tokens, error) {
	t := &Tokens{clock: c}
	for _, one := range append([][]byte{key}, older...) {
		derived, err := hkdf.Key(sha256.New, one, nil, "widget sessions", keyBytes)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		t.keys.Keys = append(t.keys.Keys, derived)
	}
	return t, nil
}

// claims of a session's token.
type claims struct {
	jwt.RegisteredClaims

	Workspace uuid.UUID `json:"workspace"`
	Channel   uuid.UUID `json:"channel"`
	Verified  bool      `json:"verified,omitempty"`
	Name      string    `json:"name,omitempty"`
	Email     string    `json:"email,omitempty"`
	Phone     string    `json:"phone,omitempty"`
}

// Sign returns the token of a new session, and when it expires.
func (t *Tokens) Sign(v Visitor) (token string, expires time.Time, err error) {
	expires = t.clock.Now().Add(sessionTime).Truncate(time.Second)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: v.ExternalID, Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(expires)},
		Workspace:        v.WorkspaceID, Channel: v.ChannelID, Verified: v.Verified, Name: v.Name, Email: v.Email, Phone: v.Phone,
	}).SignedString(t.keys.Keys[0])
	if err != nil {
		return "", expires, fmt.Errorf("sign session: %w", err)
	}
	return token, expires, nil
}

// Session is a live session of a visitor.
type Session struct {
	Visitor

	ExpiresAt time.Time
}

// Verify returns the session of a token, or ErrSession.
func (t *Tokens) Verify(token string) (*Session, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.keys, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithTimeFunc(t.clock.Now))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSession, err)
	}
	return &Session{ExpiresAt: c.ExpiresAt.Time, Visitor: Visitor{
		WorkspaceID: c.Workspace, ChannelID: c.Channel, ExternalID: c.Subject, Verified: c.Verified, Name: c.Name, Email: c.Email, Phone: c.Phone,
	}}, nil
}

// Verify returns the session of a token, or ErrSession.
func (s *Service) Verify(token string) (*Session, error) { return s.Tokens.Verify(token) }

// Begun is a new session.
type Begun struct {
	Token     string
	ExpiresAt time.Time
	// VisitorID is the visitor's secret. Who has it can read the conversation.
	VisitorID    string
	Conversation *api.WidgetConversation
}

// Begin begins a session. visitorID is that of an earlier one, identity what the customer's
// server has signed; each may be empty. It fails with ErrIdentity.
func (s *Service) Begin(ctx context.Context, c Channel, visitorID, identity string) (Begun, error) {
	if visitorID == "" {
		visitorID = newVisitorID()
	}
	v := Visitor{WorkspaceID: c.Row.WorkspaceID, ChannelID: c.Row.ID, ExternalID: anonymous(visitorID)}
	if identity != "" {
		if err := s.identify(c, identity, &v); err != nil {
			return Begun{}, err
		}
	}
	current, err := s.Conversation(ctx, v)
	if err != nil {
		return Begun{}, err
	}
	token, expires, err := s.Tokens.Sign(v)
	return Begun{Token: token, ExpiresAt: expires, VisitorID: visitorID, Conversation: current}, err
}

const visitorBytes = 16

func newVisitorID() string {
	var random [visitorBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	return "vis_" + hex.EncodeToString(random[:])
}

// anonymous returns how the channel knows a visitor. The ID itself is a secret that others
// who can read contacts must not learn.
func anonymous(visitorID string) string {
	sum := sha256.Sum256([]byte(visitorID))
	return "visitor:" + hex.EncodeToString(sum[:visitorBytes])
}

// person are the claims of an identity.
type person struct {
	jwt.RegisteredClaims

	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone"`
}

// identify sets who the visitor is.
func (s *Service) identify(c Channel, identity string, v *Visitor) error {
	secret := c.Channel.Credentials[website.IdentitySecret]
	if secret == "" {
		return fmt.Errorf("%w: the channel has no identitySecret", ErrIdentity)
	}
	var p person
	_, err := jwt.ParseWithClaims(identity, &p, func(*jwt.Token) (any, error) { return []byte(secret), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(s.Clock.Now))
	switch {
	case err != nil:
	case p.ExpiresAt.After(s.Clock.Now().Add(maxIdentityTime + leeway)):
		err = errors.New("it expires too late")
	case p.Subject == "" || len(p.Subject) > maxSubject || strings.ContainsFunc(p.Subject, unicode.IsControl):
		err = errors.New("it has no sub of 1 to 200 bytes without control characters")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	v.ExternalID, v.Verified, v.Name, v.Email, v.Phone = "user:"+p.Subject, true, p.Name, p.Email, p.Phone
	return nil
}
