package extract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klippa-app/go-pdfium"
	pdfium_errors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

const pdfiumWait = 30 * time.Second

// startPDF starts PDFium, which runs in WebAssembly: what goes wrong in it stays there.
// It gets no file system. stop releases it.
func startPDF(_ context.Context) (read pdfReader, stop func(), err error) {
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling)
	// Compiling takes seconds; the cache makes that once for each machine and user.
	if dir, err := os.UserCacheDir(); err == nil {
		if cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, "convo", "wazero")); err == nil {
			config = config.WithCompilationCache(cache)
		}
	}
	pool, err := webassembly.Init(webassembly.Config{MinIdle: 1, MaxIdle: 1, MaxTotal: 1, RuntimeConfig: config, FSConfig: wazero.NewFSConfig()})
	if err != nil {
		return nil, nil, fmt.Errorf("start PDFium: %w", err)
	}
	stop = func() { _ = pool.Close() } // the process ends next
	instance, err := pool.GetInstance(pdfiumWait)
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("start PDFium: %w", err)
	}
	return func(content []byte) (Document, error) { return readPDF(instance, content) }, stop, nil
}

// readPDF reads a PDF page by page.
func readPDF(instance pdfium.Pdfium, content []byte) (Document, error) {
	file, err := instance.OpenDocument(&requests.OpenDocument{File: &content})
	if errors.Is(err, pdfium_errors.ErrPassword) || errors.Is(err, pdfium_errors.ErrSecurity) {
		return Document{}, failed(Encrypted, "It is protected by a password.")
	} else if err != nil {
		return Document{}, failed(Corrupt, "It cannot be read as a PDF.")
	}
	count, err := instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: file.Document})
	if err != nil {
		return Document{}, failed(Corrupt, "Its pages cannot be counted.")
	}
	if count.PageCount > maxPages {
		return Document{}, failed(TooMany, "It has %d pages; the limit is %d.", count.PageCount, maxPages)
	}
	var document Document
	total := 0
	for i := range count.PageCount {
		page, err := instance.GetPageText(&requests.GetPageText{Page: requests.Page{ByIndex: &requests.PageByIndex{Document: file.Document, Index: i}}})
		if err != nil {
			return Document{}, failed(Corrupt, "Page %d cannot be read.", i+1)
		}
		text := strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(page.Text, "\r\n", "\n"), "\x00", ""), "\uFFFD"))
		if text == "" {
			continue
		}
		document.Sections = append(document.Sections, Section{Page: i + 1, Text: text})
		if total += len(text); total > maxText {
			return document, nil // refused by check
		}
	}
	return document, nil
}
