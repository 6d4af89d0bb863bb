package signature_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/webhook/signature"
)

// TestSignMatchesOpenSSL compares with signatures made by openssl:
//
//	printf '1777550400.{"id":"x"}' | openssl dgst -sha256 -hmac wh_0123456789abcdef0123456789abcdef0123456789abcdef
//	printf 'x.1777550400.{"id":"x"}' | openssl dgst -sha256 -hmac wh_… -binary | base64
func TestSignMatchesOpenSSL(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	signature.Sign(header, []string{"wh_0123456789abcdef0123456789abcdef0123456789abcdef"}, "x", time.Unix(1777550400, 999), []byte(`{"id":"x"}`))
	require.Equal(t, "t=1777550400,v1=43eb8db3c061d35aae8df5c4468b034902f4ac2b46ed6493ce0c1d76d9ef88a4", header.Get("X-Convo-Signature"))
	require.Equal(t, "x", header.Get("webhook-id"))
	require.Equal(t, "1777550400", header.Get("webhook-timestamp"))
	require.Equal(t, "v1,ISu9HCJ4d+Nawkuw8whvamFlQrxdxI45RTXXPjxMeEg=", header.Get("webhook-signature"))
}

func TestNewSecretIsRandom(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^wh_[0-9a-f]{48}$`, signature.NewSecret())
	first := signature.NewSecret()
	require.NotEqual(t, first, signature.NewSecret())
}

// BenchmarkSign signs a body of 420 bytes.
func BenchmarkSign(b *testing.B) {
	body, secrets := make([]byte, 420), []string{signature.NewSecret()}
	b.ReportAllocs()
	for b.Loop() {
		signature.Sign(http.Header{}, secrets, "019684aa-5e00-7c3a-9f21-6a0b5f1d2e05", time.Unix(1777550400, 0), body)
	}
}
