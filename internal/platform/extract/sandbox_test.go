package extract_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
)

func TestReaderCannotOpenFilesConnectOrStartPrograms(t *testing.T) {
	t.Parallel()
	active, err := newRunner(t).Protections(t.Context())
	require.NoError(t, err)
	if active.Landlock == 0 && !active.Seccomp {
		t.Skip("this kernel has neither Landlock nor seccomp")
	}
	require.True(t, active.Complete(), "%+v", active)
}

// TestReaderWorksOnOldKernels runs a reader without Landlock and seccomp: it reads all
// the same, and the report says what is missing.
func TestReaderWorksOnOldKernels(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	require.NoError(t, err)
	reader := filepath.Join(t.TempDir(), "reader")
	require.NoError(t, os.WriteFile(reader, []byte("#!/bin/sh\n"+oldKernel+"=1 exec '"+program+"' extract\n"), 0o700))
	runner := &extract.Runner{Binary: reader}
	active, err := runner.Protections(t.Context())
	require.NoError(t, err)
	require.Equal(t, extract.Protections{ResourcesBounded: true}, active)
	require.False(t, active.Complete())
	index, err := runner.Read(t.Context(), extract.Text, strings.NewReader("Some text."))
	require.NoError(t, err)
	require.Equal(t, "Some text.", index.Passages[0].Text)
}

func TestReaderReadsEveryKindInItsSandbox(t *testing.T) {
	t.Parallel()
	pdf, err := filepath.Glob(filepath.Join(module(t, "github.com/klippa-app/go-pdfium"), "shared_tests/testdata/test.pdf"))
	require.NoError(t, err)
	require.Len(t, pdf, 1)
	content, err := os.ReadFile(pdf[0])
	require.NoError(t, err)
	for kind, file := range map[extract.Kind]string{
		extract.PDF:      string(content),
		extract.DOCX:     string(zipped(t, map[string]string{"word/document.xml": wordXML + "<w:p><w:r><w:t>text</w:t></w:r></w:p>" + wordEnd})),
		extract.HTML:     "<p>text",
		extract.Markdown: "# title\n\ntext",
	} {
		index, err := newRunner(t).Read(t.Context(), kind, strings.NewReader(file))
		require.NoError(t, err, kind)
		require.NotEmpty(t, index.Passages, kind)
	}
}
