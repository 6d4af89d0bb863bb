// Package testdb creates a PostgreSQL database for each test, cloned from a template with
// the newest schema.
package testdb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

// URLVariable names the environment variable with the URL of a PostgreSQL server for tests.
// If it is not set, the tests of each package start their own server.
const URLVariable = "CONVO_TEST_DATABASE_URL"

// templateLock is the advisory lock that is held while the template is created.
const templateLock = 0x74656d706c

var shared struct {
	once   sync.Once
	url    string
	server *embedded.Server
	dir    string
	err    error
}

// Main runs the tests of a package and stops the server that they started. Packages whose
// tests call New must call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "testdb:", err)
			code = max(code, 1)
		}
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, "testdb:", err)
		}
	}
	os.Exit(code)
}

// New creates a database with the newest schema and drops it after the test.
func New(t testing.TB) *postgres.DB {
	t.Helper()
	on, err := postgres.Open(t.Context(), URL(t), postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	return on
}

// URL is New for callers that need the URL of the database.
func URL(t testing.TB) string {
	t.Helper()
	return clone(t, template(t))
}

// Empty creates a database without a schema and returns its URL.
func Empty(t testing.TB) string {
	t.Helper()
	return clone(t, "template1")
}

func clone(t testing.TB, from string) string {
	t.Helper()
	name := "convo_test_" + randomName()
	admin(t, "CREATE DATABASE "+name+" TEMPLATE "+from)
	t.Cleanup(func() { admin(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return inDatabase(t, name)
}

func admin(t testing.TB, statement string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, serverURL(t))
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}

// template returns the name of the template database for the current migrations. It
// creates the template if it does not exist; an advisory lock serializes processes that
// share a server.
func template(t testing.TB) string {
	t.Helper()
	name := "convo_template_" + migrationsHash(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, serverURL(t))
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock)
	require.NoError(t, err)
	var exists bool
	require.NoError(t, conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&exists))
	if !exists {
		building := name + "_new"
		admin(t, "DROP DATABASE IF EXISTS "+building)
		admin(t, "CREATE DATABASE "+building)
		on, err := postgres.Open(ctx, inDatabase(t, building), postgres.Options{})
		require.NoError(t, err)
		err = db.Up(ctx, on.Pool())
		on.Close()
		require.NoError(t, err)
		admin(t, "ALTER DATABASE "+building+" RENAME TO "+name)
	}
	return name
}

func migrationsHash(t testing.TB) string {
	t.Helper()
	migrations, err := db.Migrations()
	require.NoError(t, err)
	names, err := fs.Glob(migrations, "*.sql")
	require.NoError(t, err)
	hash := sha256.New()
	for _, name := range names {
		content, err := fs.ReadFile(migrations, name)
		require.NoError(t, err)
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

func serverURL(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		if shared.url = os.Getenv(URLVariable); shared.url != "" {
			return
		}
		if shared.dir, shared.err = os.MkdirTemp("", "convo-testdb-*"); shared.err != nil {
			return
		}
		shared.server, shared.err = embedded.Start(context.WithoutCancel(t.Context()), embedded.Options{
			Dir: filepath.Join(shared.dir, "postgres"), Volatile: true,
			Logf: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
		})
		if shared.err == nil {
			shared.url = shared.server.URL("postgres")
		}
	})
	require.NoError(t, shared.err)
	return shared.url
}

func inDatabase(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(serverURL(t))
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}

func randomName() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}
