package page_test

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/page"
)

func TestDecodeRejectsOtherSpellingsOfACursor(t *testing.T) {
	t.Parallel()
	codec := page.NewCodec([]byte("key"))
	cursor := codec.Encode(list(), page.Position{Score: 5, ID: uuid.New()})
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	spellings := map[string]string{
		"empty": "", "space before": " " + cursor, "line end": cursor + "\n", "line break inside": cursor[:10] + "\r\n" + cursor[10:],
		"padding": base64.URLEncoding.EncodeToString(raw) + "=", "twice": cursor + cursor, "percent": "%" + cursor[1:], "letters": strings.Repeat("A", len(cursor)),
		"extended": base64.RawURLEncoding.EncodeToString(append(slices.Clone(raw), 0)), "another version": base64.RawURLEncoding.EncodeToString(append([]byte{2}, raw[1:]...)),
		"not ASCII": "żółć", "NUL": "\x00", "a UUID": uuid.NewString(), "long": strings.Repeat("A", 1<<16),
	}
	for n := range raw {
		spellings["truncated to "+string(rune('0'+n%10))+strings.Repeat("'", n/10)] = base64.RawURLEncoding.EncodeToString(raw[:n])
	}
	for name, spelling := range spellings {
		at, err := codec.Decode(list(), page.Request{Cursor: &spelling})
		require.ErrorIs(t, err, page.ErrInvalidCursor, name)
		require.Zero(t, at, name)
	}
}

// TestCursorsOfListsWithSimilarFiltersDiffer joins filters in every way that a separator
// could confuse.
func TestCursorsOfListsWithSimilarFiltersDiffer(t *testing.T) {
	t.Parallel()
	codec := page.NewCodec([]byte("key"))
	lists := []page.List{
		{Name: "leads"},
		{Name: "leads", Filters: []string{""}},
		{Name: "leads", Filters: []string{"", ""}},
		{Name: "leads", Filters: []string{"a", "b"}},
		{Name: "leads", Filters: []string{"b", "a"}},
		{Name: "leads", Filters: []string{"ab"}},
		{Name: "leads", Filters: []string{"a b"}},
		{Name: "leadsa", Filters: []string{"b"}},
		{Name: "LEADS"},
		{Workspace: uuid.Max, Name: "leads"},
	}
	for i, from := range lists {
		cursor := codec.Encode(from, page.Start())
		for j, to := range lists {
			_, err := codec.Decode(to, page.Request{Cursor: &cursor})
			same := i == j || i+j == 1 // no filters and one empty filter are the same list
			require.Equal(t, same, err == nil, "%d in %d", i, j)
		}
	}
}

func TestReplicasWithTheSameKeyShareCursors(t *testing.T) {
	t.Parallel()
	at := page.Position{Score: math.MinInt16, ID: uuid.New()}
	cursor := page.NewCodec([]byte("key")).Encode(list(), at)
	got, err := page.NewCodec([]byte("key")).Decode(list(), page.Request{Cursor: &cursor})
	require.NoError(t, err)
	require.Equal(t, at, got)
	require.Regexp(t, `^[A-Za-z0-9_-]+$`, cursor, "safe in a URL")
}

func TestTheFirstPageNeedsNoCursor(t *testing.T) {
	t.Parallel()
	at, err := page.NewCodec(nil).Decode(list(), page.Request{})
	require.NoError(t, err)
	require.Equal(t, page.Start(), at)
	require.Greater(t, at.Score, int16(100), "above the highest score")
	require.Equal(t, int32(page.DefaultLimit), page.Request{}.Size())
}

// table is a list of ids in memory, latest first, that counts how it is read.
type table struct {
	ids    []uuid.UUID
	limits []int32
}

func (r *table) read(_ context.Context, before uuid.UUID, limit int32) ([]uuid.UUID, error) {
	r.limits = append(r.limits, limit)
	var rows []uuid.UUID
	for _, one := range r.ids {
		if one.String() < before.String() && len(rows) < int(limit) {
			rows = append(rows, one)
		}
	}
	return rows, nil
}

func newTable(n int) *table {
	r := &table{}
	for i := range n {
		r.ids = append(r.ids, uuid.UUID{15: byte(n - i)})
	}
	return r
}

func itself(id uuid.UUID) uuid.UUID { return id }

func TestByIDReturnsEveryRowOnce(t *testing.T) {
	t.Parallel()
	codec := page.NewCodec([]byte("key"))
	for _, rows := range []int{0, 1, 4, 5, 6, 10, 11} {
		r, size := newTable(rows), int32(5)
		var got []uuid.UUID
		request := page.Request{Limit: &size}
		for {
			part, err := page.ByID(t.Context(), codec, list(), request, r.read, itself)
			require.NoError(t, err)
			require.LessOrEqual(t, len(part.Rows), int(size))
			got = append(got, part.Rows...)
			if part.Next == nil {
				break
			}
			require.Len(t, part.Rows, int(size), "only the last page is short")
			request.Cursor = part.Next
		}
		require.Equal(t, r.ids, got)
		require.Len(t, r.limits, max(1, (rows+4)/5), "no page is empty, except of an empty list")
		for _, limit := range r.limits {
			require.Equal(t, size+1, limit, "one more row than the page has")
		}
	}
}

// TestByIDContinuesWhereRowsWereDeleted deletes the row that the cursor names.
func TestByIDContinuesWhereRowsWereDeleted(t *testing.T) {
	t.Parallel()
	codec, size := page.NewCodec([]byte("key")), int32(2)
	r := newTable(5)
	first, err := page.ByID(t.Context(), codec, list(), page.Request{Limit: &size}, r.read, itself)
	require.NoError(t, err)
	want := slices.Clone(r.ids[2:4])
	r.ids = slices.Delete(r.ids, 1, 2)
	second, err := page.ByID(t.Context(), codec, list(), page.Request{Limit: &size, Cursor: first.Next}, r.read, itself)
	require.NoError(t, err)
	require.Equal(t, want, second.Rows)
}

func TestByIDDoesNotReadForAnInvalidCursor(t *testing.T) {
	t.Parallel()
	codec, r, cursor := page.NewCodec([]byte("key")), newTable(3), "AAAA"
	_, err := page.ByID(t.Context(), codec, list(), page.Request{Cursor: &cursor}, r.read, itself)
	require.ErrorIs(t, err, page.ErrInvalidCursor)
	require.Empty(t, r.limits)
}

func TestByIDNamesTheListThatFailed(t *testing.T) {
	t.Parallel()
	failure := errors.New("no connection")
	read := func(context.Context, uuid.UUID, int32) ([]uuid.UUID, error) { return nil, failure }
	_, err := page.ByID(t.Context(), page.NewCodec(nil), list(), page.Request{}, read, itself)
	require.ErrorIs(t, err, failure)
	require.ErrorContains(t, err, "list leads")
	require.NotErrorIs(t, err, page.ErrInvalidCursor)
}

func TestCursorsOfAnotherServiceAreSigned(t *testing.T) {
	t.Parallel()
	codec, theirs := page.NewCodec([]byte("new"), []byte("old")), "QVFIUkYz=="
	first, err := codec.Unwrap(list(), page.Request{})
	require.NoError(t, err)
	require.Empty(t, first)
	for _, key := range []string{"new", "old"} {
		cursor := page.NewCodec([]byte(key)).Wrap(list(), theirs)
		got, err := codec.Unwrap(list(), page.Request{Cursor: &cursor})
		require.NoError(t, err)
		require.Equal(t, theirs, got)
		_, err = codec.Decode(list(), page.Request{Cursor: &cursor})
		require.ErrorIs(t, err, page.ErrInvalidCursor, "it names no row")
		_, err = codec.Unwrap(page.List{Name: "others"}, page.Request{Cursor: &cursor})
		require.ErrorIs(t, err, page.ErrInvalidCursor)
	}
	row, foreign := codec.Encode(list(), page.Start()), page.NewCodec([]byte("another")).Wrap(list(), theirs)
	for _, cursor := range []string{row, foreign, "", "AAAA", codec.Wrap(list(), theirs) + "\n", codec.Wrap(list(), "")} {
		_, err := codec.Unwrap(list(), page.Request{Cursor: &cursor})
		require.ErrorIs(t, err, page.ErrInvalidCursor, "%q", cursor)
	}
}
