//go:build linux

package load

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAttemptsAreCountedInTheirPhase(t *testing.T) {
	t.Parallel()
	j, c := &Journal{}, &Change{ID: "c"}
	j.begin(c)
	first := j.Enter("first")
	j.attempt(c, reply{})
	j.attempt(c, reply{status: http.StatusServiceUnavailable})
	j.attempt(c, reply{status: http.StatusCreated, sent: time.Now()})
	j.Enter("second")
	j.failed(reply{status: http.StatusBadGateway})
	j.End()
	require.Equal(t, 3, c.Attempts)
	require.Equal(t, "503 × 1, no response × 1", first.Failures())
	require.Len(t, first.Acknowledged, 1)
	require.False(t, first.End.IsZero())
	second := j.Phases()[1]
	require.Equal(t, "502 × 1", second.Failures())
	require.Empty(t, second.Acknowledged)
}

// TestRecoveryIsTheTimeToARequestSentAfterTheOutage also sends one during the outage.
func TestRecoveryIsTheTimeToARequestSentAfterTheOutage(t *testing.T) {
	t.Parallel()
	j, c := &Journal{}, &Change{}
	p := j.Enter("outage")
	during := time.Now()
	j.OutageEnded()
	require.False(t, j.Recovered())
	j.attempt(c, reply{status: http.StatusOK, sent: during})
	require.False(t, j.Recovered())
	j.attempt(c, reply{status: http.StatusOK, sent: time.Now()})
	require.True(t, j.Recovered())
	require.Len(t, p.Recoveries, 1)
}

func TestTheReceiverRecordsWhatIsSigned(t *testing.T) {
	t.Parallel()
	r := &Receiver{times: map[string]int{}, secret: "wh_secret"}
	body := []byte(`{"id":"e","type":"lead.created"}`)
	hash := hmac.New(sha256.New, []byte("wh_secret"))
	hash.Write(append([]byte("1777550400."), body...))
	signature := "t=1777550400,v1=" + hex.EncodeToString(hash.Sum(nil))
	require.True(t, r.receive(signature, body))
	require.True(t, r.receive(signature, body))
	require.False(t, r.receive(signature, []byte(`{"id":"forged"}`)))
	accepted, _, problems := r.Deliveries()
	require.Equal(t, []string{"e", "e"}, accepted)
	require.Len(t, problems, 1)
}
