package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// minVersion is the oldest PostgreSQL that the schema runs on.
const minVersion = 15

// findBinaries returns a directory with initdb and pg_ctl.
func findBinaries(ctx context.Context, logf func(string, ...any)) (string, error) {
	if dir := os.Getenv("CONVO_POSTGRES_BIN"); dir != "" && dir != "download" {
		if !usable(ctx, dir) {
			return "", fmt.Errorf("CONVO_POSTGRES_BIN=%s: no PostgreSQL %d or later", dir, minVersion)
		}
		return dir, nil
	} else if dir == "" {
		for _, dir := range candidates() {
			if usable(ctx, dir) {
				return dir, nil
			}
		}
	}
	return download(logf)
}

func candidates() []string {
	var dirs []string
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(resolved))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // never: the patterns are constant
		}
		slices.Reverse(found) // the newest first
		dirs = append(dirs, found...)
	}
	return dirs
}

var versionPattern = regexp.MustCompile(`\) (\d+)`)

func usable(ctx context.Context, dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return false
	}
	said, err := exec.CommandContext(ctx, filepath.Join(dir, "pg_ctl"), "--version").Output() //nolint:gosec // found above
	if err != nil {
		return false
	}
	match := versionPattern.FindSubmatch(said)
	if match == nil {
		return false
	}
	version, err := strconv.Atoi(string(match[1]))
	return err == nil && version >= minVersion
}

// download fetches server binaries into the user's cache, once.
func download(logf func(string, ...any)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "convo", "postgres-"+string(embeddedpostgres.V17)+"-"+runtime.GOARCH)
	binaries := filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(binaries, "pg_ctl")); err == nil {
		return binaries, nil
	}
	logf("No PostgreSQL %d or later on this machine: downloading one into %s", minVersion, dir)
	scratch, err := os.MkdirTemp("", "convo-postgres-*")
	if err != nil {
		return "", fmt.Errorf("download PostgreSQL: %w", err)
	}
	defer os.RemoveAll(scratch)
	// The library offers the download only as a part of starting a server. The
	// start itself fails for root, after the binaries are in place.
	library := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V17).BinariesPath(dir).CachePath(dir).
		RuntimePath(filepath.Join(scratch, "runtime")).DataPath(filepath.Join(scratch, "data")).
		Port(0).Logger(nil))
	err = library.Start()
	if err == nil {
		err = library.Stop()
	}
	if _, missing := os.Stat(filepath.Join(binaries, "pg_ctl")); missing != nil {
		return "", fmt.Errorf("download PostgreSQL (install PostgreSQL %d or later to do without): %w",
			minVersion, errors.Join(err, missing))
	}
	return binaries, nil
}
