package page_test

import (
	"encoding/base64"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/page"
)

func list() page.List {
	return page.List{Workspace: uuid.MustParse("019684aa-5e00-7c3a-9f21-6a0b5f1d2e01"), Name: "leads", Filters: []string{"WON", "score"}}
}

func TestCursorKeepsItsPosition(t *testing.T) {
	t.Parallel()
	codec := page.NewCodec([]byte("key"))
	for _, at := range []page.Position{page.Start(), {Score: -1, ID: uuid.New()}, {Score: 0, ID: uuid.Nil}, {Score: 100, ID: uuid.New()}} {
		cursor := codec.Encode(list(), at)
		got, err := codec.Decode(list(), page.Request{Cursor: &cursor})
		require.NoError(t, err)
		require.Equal(t, at, got)
	}
}

func TestCursorIsBoundToKeyAndList(t *testing.T) {
	t.Parallel()
	codec := page.NewCodec([]byte("key"))
	cursor := codec.Encode(list(), page.Start())
	others := map[string]func(*page.List){
		"workspace": func(l *page.List) { l.Workspace = uuid.New() },
		"name":      func(l *page.List) { l.Name = "agents" },
		"filter":    func(l *page.List) { l.Filters = []string{"NEW", "score"} },
		"shift":     func(l *page.List) { l.Filters = []string{"WONscore", ""} },
	}
	for what, change := range others {
		other := list()
		change(&other)
		_, err := codec.Decode(other, page.Request{Cursor: &cursor})
		require.ErrorIs(t, err, page.ErrInvalidCursor, what)
	}
	_, err := page.NewCodec([]byte("another")).Decode(list(), page.Request{Cursor: &cursor})
	require.ErrorIs(t, err, page.ErrInvalidCursor)
}

func TestEveryAlteredByteIsDetected(t *testing.T) {
	t.Parallel()
	codec := page.NewCodec([]byte("key"))
	raw, err := base64.RawURLEncoding.DecodeString(codec.Encode(list(), page.Position{Score: 5, ID: uuid.New()}))
	require.NoError(t, err)
	for i := range raw {
		raw[i] ^= 1
		altered := base64.RawURLEncoding.EncodeToString(raw)
		_, err := codec.Decode(list(), page.Request{Cursor: &altered})
		require.Error(t, err, "byte %d", i)
		raw[i] ^= 1
	}
}

func TestCutReportsWhetherThereIsAnotherPage(t *testing.T) {
	t.Parallel()
	codec, size := page.NewCodec([]byte("key")), int32(2)
	at := func(n int16) page.Position { return page.Position{Score: n} }
	whole := page.Cut(codec, list(), page.Request{Limit: &size}, []int16{3, 2}, at)
	require.Equal(t, []int16{3, 2}, whole.Rows)
	require.Nil(t, whole.Next)
	part := page.Cut(codec, list(), page.Request{Limit: &size}, []int16{3, 2, 1}, at)
	require.Equal(t, []int16{3, 2}, part.Rows)
	next, err := codec.Decode(list(), page.Request{Cursor: part.Next})
	require.NoError(t, err)
	require.Equal(t, int16(2), next.Score)
}

// FuzzCursor searches for a text that is accepted although it was not issued.
func FuzzCursor(f *testing.F) {
	codec := page.NewCodec([]byte("key"))
	issued := codec.Encode(list(), page.Start())
	for _, seed := range []string{issued, "", "A", issued[:20], issued + "==", "AQ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := codec.Decode(list(), page.Request{Cursor: &text})
		if err == nil {
			require.Equal(t, text, codec.Encode(list(), at), "only what was issued is accepted")
		}
	})
}

// BenchmarkCursor encodes and decodes a cursor.
func BenchmarkCursor(b *testing.B) {
	codec := page.NewCodec([]byte("key"))
	b.ReportAllocs()
	for b.Loop() {
		cursor := codec.Encode(list(), page.Start())
		_, err := codec.Decode(list(), page.Request{Cursor: &cursor})
		require.NoError(b, err)
	}
}
