package middleware

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzhttp/writer"
	"github.com/klauspost/compress/gzip"
)

const (
	// compressMin is the size from which responses are compressed, in bytes.
	compressMin = 1 << 10
	// compressPiece is how much is compressed before it is sent, in bytes.
	compressPiece = 32 << 10
)

// Compress compresses the responses of next with gzip, for clients that accept it. It must
// be outside of all that writes to the response.
func Compress(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(compressMin), gzhttp.EnableZstd(false), gzhttp.Implementation(writer.GzipWriterFactory{
		Levels: func() (lowest, highest int) { return gzip.StatelessCompression, gzip.BestCompression },
		New:    newPieces,
	}))
	if err != nil {
		return nil, fmt.Errorf("compression: %w", err)
	}
	return wrap(next), nil
}

// pieces compresses each piece in memory before it writes it. A compressor's state is
// large, so it must not be held while a slow client accepts bytes: stateless compression
// takes it from a pool for one piece.
type pieces struct {
	out        io.Writer
	compressor *gzip.Writer
	compressed bytes.Buffer // of the current piece
}

func newPieces(out io.Writer, _ int) writer.GzipWriter {
	p := &pieces{out: out}
	p.compressor, _ = gzip.NewWriterLevel(&p.compressed, gzip.StatelessCompression) // a valid level
	return p
}

// Write implements writer.GzipWriter.
func (p *pieces) Write(b []byte) (int, error) {
	written := 0
	for piece := range slices.Chunk(b, compressPiece) {
		if _, err := p.compressor.Write(piece); err != nil {
			return written, fmt.Errorf("compress: %w", err)
		}
		if err := p.Flush(); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}

// Flush implements writer.GzipWriter.
func (p *pieces) Flush() error {
	_, err := p.compressed.WriteTo(p.out)
	return err
}

// Close implements writer.GzipWriter.
func (p *pieces) Close() error {
	if err := p.compressor.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return p.Flush()
}
