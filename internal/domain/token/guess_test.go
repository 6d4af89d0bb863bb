package token_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

func unknown(t *testing.T) token.Hash {
	t.Helper()
	hash, ok := token.Parse(token.Mint())
	require.True(t, ok)
	return hash
}

// TestGuessesAreLimitedBeforeTheLookup closes the database, which shows what is looked up.
func TestGuessesAreLimitedBeforeTheLookup(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.auth.Authenticate(t.Context(), f.hash, caller)
	require.NoError(t, err)
	for range guesses.Requests {
		_, err := f.auth.Authenticate(t.Context(), unknown(t), caller)
		require.ErrorIs(t, err, token.ErrNotLive)
	}
	_, err = f.auth.Authenticate(t.Context(), f.hash, caller)
	require.NoError(t, err, "live tokens of the address still work")
	f.on.Close()
	var exceeded *ratelimit.ExceededError
	_, err = f.auth.Authenticate(t.Context(), unknown(t), caller)
	require.ErrorAs(t, err, &exceeded)
	require.Equal(t, time.Minute, exceeded.ResetAfter)
	_, err = f.auth.Authenticate(t.Context(), unknown(t), "192.0.2.8")
	require.ErrorContains(t, err, "look up token", "other addresses are not affected")
	f.clock.Advance(time.Minute)
	_, err = f.auth.Authenticate(t.Context(), unknown(t), caller)
	require.ErrorContains(t, err, "look up token")
}

func TestUnknownTokensAreCachedForASecond(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.listen(t)()
	hash := unknown(t)
	for range 100 {
		_, err := f.auth.Authenticate(t.Context(), hash, caller)
		require.ErrorIs(t, err, token.ErrNotLive, "one lookup, so the limit is not exceeded")
	}
	_, err := f.on.Exec(t.Context(), "UPDATE api_tokens SET token_hash = $1", hash[:])
	require.NoError(t, err)
	f.clock.Advance(time.Second)
	_, err = f.auth.Authenticate(t.Context(), hash, caller)
	require.NoError(t, err, "a token that was tried before it existed")
}

// TestAnExtendedTokenWorksImmediately: the notification also drops cached rejections.
func TestAnExtendedTokenWorksImmediately(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.listen(t)()
	setExpiry := func(at time.Time) {
		_, err := f.on.Exec(t.Context(), "UPDATE api_tokens SET expires_at = $1", at)
		require.NoError(t, err)
	}
	live := func() bool {
		_, err := f.auth.Authenticate(t.Context(), f.hash, caller) // its clock stands still
		return err == nil
	}
	setExpiry(f.clock.Now())
	require.Eventually(t, func() bool { return !live() }, 10*time.Second, time.Millisecond)
	setExpiry(f.clock.Now().Add(time.Hour))
	require.Eventually(t, live, 10*time.Second, time.Millisecond)
}
