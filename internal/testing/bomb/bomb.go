// Package bomb makes files that unpack to far more than they are. They are put together
// from one packed piece: packing hundreds of megabytes takes minutes with the race
// detector.
package bomb

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"hash/crc32"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

var mebibyte = bytes.Repeat([]byte(" "), 1<<20)

// Gzip returns a file that unpacks to spaces: one member (RFC 1952, section 2.2), many times.
func Gzip(tb testing.TB, mebibytes int) []byte {
	tb.Helper()
	var member bytes.Buffer
	packer := gzip.NewWriter(&member)
	_, err := packer.Write(mebibyte)
	require.NoError(tb, err)
	require.NoError(tb, packer.Close())
	return bytes.Repeat(member.Bytes(), mebibytes)
}

// Zip returns an archive of parts that each unpack to spaces.
func Zip(tb testing.TB, mebibytes int, parts ...string) []byte {
	tb.Helper()
	var blocks, end, file bytes.Buffer
	packer, err := flate.NewWriter(&blocks, flate.BestCompression)
	require.NoError(tb, err)
	_, err = packer.Write(mebibyte)
	require.NoError(tb, err)
	require.NoError(tb, packer.Flush()) // ends the blocks at a byte
	packer.Reset(&end)
	require.NoError(tb, packer.Close())
	packed := append(bytes.Repeat(blocks.Bytes(), mebibytes), end.Bytes()...)
	sum := crc32.NewIEEE()
	for range mebibytes {
		_, err = sum.Write(mebibyte)
		require.NoError(tb, err)
	}
	archive := zip.NewWriter(&file)
	for _, name := range parts {
		part, err := archive.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Deflate, CRC32: sum.Sum32(),
			CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(mebibytes) << 20,
		})
		require.NoError(tb, err)
		_, err = io.Copy(part, bytes.NewReader(packed))
		require.NoError(tb, err)
	}
	require.NoError(tb, archive.Close())
	return file.Bytes()
}
