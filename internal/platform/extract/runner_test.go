package extract_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/reader"
)

// newRunner returns a runner of the program that is the reader process of tests.
func newRunner(t *testing.T) *extract.Runner {
	t.Helper()
	program, err := reader.Path()
	require.NoError(t, err)
	return &extract.Runner{Binary: program}
}

// TestAReaderThatDiesBlamesTheFile puts other programs in the place of the reader.
func TestAReaderThatDiesBlamesTheFile(t *testing.T) {
	t.Parallel()
	for script, code := range map[string]extract.Code{
		"exit 2":                              extract.ParserDied,
		"kill -9 $$":                          extract.ParserDied,
		"head -c 40000000 /dev/zero":          extract.TooLarge,
		`echo '{"error":{"code":"no_text"}}'`: extract.NoText,
	} {
		reader := filepath.Join(t.TempDir(), "reader")
		require.NoError(t, os.WriteFile(reader, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
		_, err := (&extract.Runner{Binary: reader}).Read(t.Context(), extract.PDF, strings.NewReader("x"))
		var blame *extract.Error
		require.ErrorAs(t, err, &blame, script)
		require.Equal(t, code, blame.Code, script)
	}
	secretive := filepath.Join(t.TempDir(), "reader")
	require.NoError(t, os.WriteFile(secretive, []byte("#!/bin/sh\nenv | grep -q -E 'SECRET|DATABASE' && exit 1\n"+`echo '{"index":{"passages":[]}}'`+"\n"), 0o700))
	_, err := (&extract.Runner{Binary: secretive}).Read(t.Context(), extract.PDF, strings.NewReader("x"))
	require.NoError(t, err, "it receives none of the operator's settings")
}
