package email

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/reader"
	"github.com/avelto/convo/internal/testing/testdb"
)

// TestMain runs the tests, or is the reader process that they start.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == extract.Command {
		if err := extract.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testdb.Main(m)
}

// The secrets of the tests. None may appear in an error or a log.
const (
	testUser     = "shop-user-8361"
	testPassword = "hunter2-unique-secret-9911"
)

// certificate is one for 127.0.0.1, with the pool that trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server.TLS.Certificates[0], pool
})

// dkimKey is a key in PEM, with its public half.
var dkimKey = sync.OnceValues(func() (string, *rsa.PublicKey) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})), &key.PublicKey
})

func newProvider() *Provider {
	_, pool := certificate()
	program, err := reader.Path()
	if err != nil {
		panic(err)
	}
	return &Provider{Guard: egress.NewGuard(egress.Loopback()), Reader: &extract.Runner{Binary: program}, Log: slog.New(slog.DiscardHandler), RootCAs: pool}
}

// newChannel returns a channel with settings that change what is given.
func newChannel(t *testing.T, change func(config map[string]any, credentials map[string]string)) provider.Channel {
	t.Helper()
	settings := map[string]any{
		"fromAddress": "help@shop.example", "fromName": "Shop", "replyAddress": "reply@in.shop.example", "inbound": "mailgun",
		"smtp": map[string]any{"host": "127.0.0.1", "port": 587, "security": "none"},
	}
	credentials := map[string]string{"mailgunSigningKey": mailgunKey}
	if change != nil {
		change(settings, credentials)
	}
	encoded, err := json.Marshal(settings)
	require.NoError(t, err)
	return provider.Channel{
		ID: uuid.New(), WorkspaceID: uuid.New(), Type: api.ChannelTypeEMAIL, Name: "Support", Config: encoded, Credentials: credentials,
	}
}

func testSettings(t *testing.T) config {
	t.Helper()
	settings, err := configOf(newChannel(t, nil))
	require.NoError(t, err)
	return settings
}

// listen returns a listener on this machine, encrypted or not, and its port.
func listen(t *testing.T, encrypted bool) (net.Listener, int) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	if encrypted {
		cert, _ := certificate()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	return listener, port
}

// own message IDs of the tests.
const ownID = "0199c3a5-7c1e-7d61-9d0b-3f1f2f6f7a11-0@shop.example"

const mailgunKey = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
