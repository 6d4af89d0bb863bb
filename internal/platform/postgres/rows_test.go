package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

// stage is a type of texts with methods, as the enums of the API are.
type stage string

// Valid is a method that does not change it.
func (s stage) Valid() bool { return s != "" }

// upper scans itself.
type upper string

// ScanText implements pgtype.TextScanner.
func (u *upper) ScanText(text pgtype.Text) error {
	*u = upper("scanned " + text.String)
	return nil
}

// targets are the types that values are scanned into.
func targets() []reflect.Type {
	var types []reflect.Type
	for _, value := range []any{
		"", stage(""), upper(""),
		uuid.UUID{},
		time.Time{},
		false, int16(0), int32(0), int64(0), 0, float64(0), []byte(nil), json.RawMessage(nil),
		[]string(nil), []uuid.UUID(nil),
		pgtype.Text{},
		map[string]any(nil),
	} {
		types = append(types, reflect.TypeOf(value), reflect.PointerTo(reflect.TypeOf(value)))
	}
	return append(types, reflect.TypeFor[any]())
}

// TestRowsAreScannedAsPgxScansThem scans values of every type into every type, with and
// without prepared statements, and compares results and errors with those of pgx.
func TestRowsAreScannedAsPgxScansThem(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	for _, value := range []string{
		"'Żółw'::text", "''::text", "'x'::varchar", "'9'::text", "'019684aa-5e00-7c3a-9f21-6a0b5f1d2e01'::uuid",
		"'2026-04-30 12:00:00.123456+00'::timestamptz", "'1969-12-31 23:59:59.5+00'::timestamptz", "'infinity'::timestamptz",
		"'294000-01-01'::timestamptz", "'4000-01-01 BC'::timestamptz", "'2026-04-30'::date", "true",
		"7::smallint", "-7::integer", "9223372036854775807", "2.5::double precision", "2.5::numeric",
		`'{"a":1}'::jsonb`, `'{"a": 1}'::json`, "'null'::jsonb", `'\x00ff'::bytea`, "ARRAY['a','b']", "ARRAY[]::uuid[]",
	} {
		for _, target := range targets() {
			for _, arguments := range [][]any{nil, {pgx.QueryExecModeSimpleProtocol}} {
				query := "SELECT 'before', " + value + ", 'after'"
				want, wantErr := scanned(target, on.Pool().QueryRow(t.Context(), query, arguments...))
				got, err := scanned(target, on.QueryRow(t.Context(), query, arguments...))
				require.Equal(t, text(wantErr), text(err), "%s into %s", value, target)
				require.Equal(t, want, got, "%s into %s", value, target)
				if err != nil {
					continue // pgx has several errors for a null of a type that it cannot scan
				}
				query = "SELECT 'before', CASE WHEN false THEN " + value + " END, 'after'"
				want, wantErr = scanned(target, on.Pool().QueryRow(t.Context(), query, arguments...))
				got, err = scanned(target, on.QueryRow(t.Context(), query, arguments...))
				require.Equal(t, text(wantErr), text(err), "null of %s into %s", value, target)
				require.Equal(t, want, got, "null of %s into %s", value, target)
			}
		}
	}
}

// scanned returns the second value of a row, scanned into a type. Its neighbours are texts.
func scanned(target reflect.Type, row pgx.Row) (any, error) {
	var before, after string
	value := reflect.New(target)
	err := row.Scan(&before, value.Interface(), &after)
	if err == nil && before+after != "beforeafter" {
		return nil, errors.New("the neighbours are " + before + " and " + after)
	}
	return value.Elem().Interface(), err
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestValuesOutliveTheirRow keeps the values of many rows, with nulls between them.
func TestValuesOutliveTheirRow(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	type kept struct {
		Name  string
		Stage *stage
		Note  *string
		Raw   []byte
	}
	const query = `SELECT 'name ' || i, CASE WHEN i % 2 = 0 THEN 'stage ' || i END, CASE WHEN i % 3 = 0 THEN repeat('n', i) END,
		CASE WHEN i % 5 > 0 THEN jsonb_build_object('i', i) END FROM generate_series(1, 1000) AS i`
	want, err := on.Pool().Query(t.Context(), query)
	require.NoError(t, err)
	wanted, err := pgx.CollectRows(want, pgx.RowToStructByPos[kept])
	require.NoError(t, err)
	require.NoError(t, postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
		for _, from := range []postgres.Conn{on, tx} {
			rows, err := from.Query(ctx, query)
			require.NoError(t, err)
			got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[kept])
			require.NoError(t, err)
			require.Equal(t, wanted, got)
		}
		return nil
	}))
}

func TestRowsReportErrorsAsPgxDoes(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	var one, two string
	require.ErrorIs(t, on.QueryRow(t.Context(), "SELECT '' WHERE false").Scan(&one), pgx.ErrNoRows)
	require.ErrorContains(t, on.QueryRow(t.Context(), "SELECT nothing").Scan(&one), "nothing")
	require.ErrorContains(t, on.QueryRow(t.Context(), "SELECT 1/(i - 1) FROM generate_series(0, 1) AS i").Scan(&one), "division by zero")
	require.ErrorContains(t, on.QueryRow(t.Context(), "SELECT ''").Scan(&one, &two), "number of field descriptions must equal number of destinations")
	rows, err := on.Query(t.Context(), "SELECT i::text FROM generate_series(1, 2) AS i")
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next())
	require.NoError(t, rows.Scan(nil))
	var number int
	require.Error(t, rows.Scan(&number, &number))
	require.False(t, rows.Next(), "an error ends the rows")
	require.Error(t, rows.Err())
	require.Zero(t, on.Pool().Stat().AcquiredConns(), "every connection has been released")
}

// BenchmarkScan reads a page of rows with typical columns.
func BenchmarkScan(b *testing.B) {
	on := testdb.New(b)
	type line struct {
		ID        uuid.UUID
		Stage     stage
		Raw       []byte
		Score     *int16
		Source    *string
		CreatedAt time.Time
	}
	const query = `SELECT gen_random_uuid(), 'NEW', '{"name":"Anna"}'::jsonb, 7::smallint, 'external-form', now() FROM generate_series(1, 50)`
	for name, run := range map[string]func(context.Context, string, ...any) (pgx.Rows, error){"direct": on.Query, "pgx": on.Pool().Query} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rows, err := run(b.Context(), query)
				require.NoError(b, err)
				for rows.Next() {
					var l line
					if err := rows.Scan(&l.ID, &l.Stage, &l.Raw, &l.Score, &l.Source, &l.CreatedAt); err != nil {
						require.NoError(b, err)
					}
				}
				require.NoError(b, rows.Err())
			}
		})
	}
}
