package main

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCreateUserAndSignIn follows the steps of an operator who sets up a new server.
func TestCreateUserAndSignIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, []string{"CONVO_DATA_DIR=" + dir}, "dev")
	require.Regexp(t, `^[0-9a-f-]{36}\n$`, runCommand(t, dir, "workspace", "create", "--slug", "acme", "--name", "Acme"))
	require.Contains(t, runCommand(t, dir, "workspace", "list"), "acme")
	require.Empty(t, runCommand(t, dir, "workspace", "set-limit", "--slug", "acme", "--per-minute", "5"))
	made := strings.TrimSpace(runCommand(t, dir, "user", "create", "--email", "ola@example.com", "--name", "Ola", "--workspace", "acme"))
	require.Equal(t, http.StatusSeeOther, signIn(t, p.addr, "ola@example.com", made))
	change := command(t, []string{"CONVO_DATA_DIR=" + dir}, "user", "password", "--email", "ola@example.com", "--password-stdin")
	change.Stdin = strings.NewReader("a password of my own\n")
	out, err := change.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, out, "a password from standard input is not printed")
	require.Equal(t, http.StatusUnauthorized, signIn(t, p.addr, "ola@example.com", made))
	require.Equal(t, http.StatusSeeOther, signIn(t, p.addr, "ola@example.com", "a password of my own"))
	require.Empty(t, runCommand(t, dir, "user", "join", "--email", "ola@example.com", "--workspace", "demo"))
	require.Regexp(t, `ola@example.com +Ola +acme,demo +\d{4}-`, runCommand(t, dir, "user", "list", "--workspace", "acme"))
	require.NotContains(t, runCommand(t, dir, "user", "list", "--workspace", "acme"), "demo@example.com")
	require.Empty(t, runCommand(t, dir, "user", "remove", "--email", "ola@example.com", "--workspace", "acme"))
	require.Regexp(t, `ola@example.com +Ola +demo +\d{4}-`, runCommand(t, dir, "user", "list"))
	require.Empty(t, runCommand(t, dir, "user", "remove", "--email", "ola@example.com", "--delete"))
	require.NotContains(t, runCommand(t, dir, "user", "list"), "ola@example.com")
	require.Equal(t, http.StatusUnauthorized, signIn(t, p.addr, "ola@example.com", "a password of my own"))
	demo, err := os.ReadFile(filepath.Join(dir, "demo-password"))
	require.NoError(t, err)
	require.Contains(t, p.output.String(), "sign in as demo@example.com with "+strings.TrimSpace(string(demo)))
	require.Equal(t, http.StatusSeeOther, signIn(t, p.addr, "demo@example.com", strings.TrimSpace(string(demo))))
}

func TestUserAndWorkspaceCommandsRejectInvalidInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, []string{"CONVO_DATA_DIR=" + dir}, "dev")
	runCommand(t, dir, "workspace", "create", "--slug", "empty", "--name", "Empty")
	for want, args := range map[string][]string{
		"slug is already taken":    {"workspace", "create", "--slug", "demo", "--name", "Again"},
		"lowercase letters":        {"workspace", "create", "--slug", "Not A Slug", "--name", "X"},
		"slug \"none\"":            {"workspace", "set-limit", "--slug", "none", "--per-minute", "5"},
		"unknown slug":             {"user", "create", "--email", "x@example.com", "--name", "X", "--workspace", "none"},
		"address is already taken": {"user", "create", "--email", "demo@example.com", "--name", "X", "--workspace", "demo"},
		"not an email address":     {"user", "create", "--email", "x", "--name", "X", "--workspace", "demo"},
		"user: unknown":            {"user", "password", "--email", "none@example.com"},
		"not a member":             {"user", "remove", "--email", "demo@example.com", "--workspace", "demo", "--workspace", "empty"},
	} {
		refused := command(t, []string{"CONVO_DATA_DIR=" + dir}, args...)
		var stderr bytes.Buffer
		refused.Stderr = &stderr
		out, err := refused.Output()
		require.Error(t, err, args)
		require.Empty(t, out, "no password is printed if the user was not created")
		require.Contains(t, stderr.String(), want)
	}
	require.NotContains(t, runCommand(t, dir, "user", "create", "--email", "x@example.com", "--name", "X", "--workspace", "demo"), " ", "a failed command leaves nothing behind")
}

// signIn returns the status of the response to a sign-in.
func signIn(t *testing.T, addr, email, password string) int {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/app/sign-in",
		strings.NewReader(url.Values{"email": {email}, "password": {password}}.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
