package postgres

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows scans the types that queries mostly return directly from PostgreSQL's binary format,
// where pgx looks up a plan for each column of each query, by reflection for types such as
// an enum or a pointer. A value of any other type is scanned by pgx, and so is the whole row
// if something is unusual: the result is always that of pgx.
type rows struct {
	pgx.Rows

	fields []pgconn.FieldDescription
	plans  []plan // pgx's, by column, for values of other types
	// The texts of a row are copied together: one allocation for all of them.
	texts   []byte
	targets []textTarget
}

type plan struct {
	target reflect.Type
	scan   pgtype.ScanPlan
}

// textTarget is where a part of the texts belongs.
type textTarget struct {
	column   int
	from, to int
}

// Scan implements pgx.Rows.
func (r *rows) Scan(dest ...any) error {
	if r.fields == nil {
		r.fields = r.FieldDescriptions()
	}
	values := r.RawValues()
	if len(dest) != len(values) || len(dest) != len(r.fields) {
		return r.Rows.Scan(dest...) // an error, or a scanner of whole rows
	}
	if _, whole := dest[0].(pgx.RowScanner); whole && len(dest) == 1 {
		return r.Rows.Scan(dest...)
	}
	r.texts, r.targets = r.texts[:0], r.targets[:0]
	for i, value := range values {
		if dest[i] == nil || r.scanColumn(i, dest[i], value) {
			continue
		}
		if err := r.byPgx(i, dest[i], value); err != nil {
			return r.Rows.Scan(dest...) // fails as pgx does, with the name of the column
		}
	}
	if len(r.targets) > 0 {
		texts := string(r.texts)
		for _, target := range r.targets {
			assignText(dest[target.column], texts[target.from:target.to])
		}
	}
	return nil
}

// byPgx scans a value as pgx does, which looks up a plan once for all rows of a query.
func (r *rows) byPgx(column int, dest any, value []byte) error {
	if r.plans == nil {
		r.plans = make([]plan, len(r.fields))
	}
	found, target := &r.plans[column], reflect.TypeOf(dest)
	if found.target != target {
		field := &r.fields[column]
		*found = plan{target, r.Conn().TypeMap().PlanScan(field.DataTypeOID, field.Format, dest)}
	}
	return found.scan.Scan(value, dest)
}

// scanColumn scans a value, and reports whether its types are ones that it knows.
func (r *rows) scanColumn(column int, dest any, value []byte) bool {
	field := &r.fields[column]
	switch field.DataTypeOID {
	case pgtype.TextOID, pgtype.VarcharOID:
		return r.scanText(column, dest, value)
	case pgtype.JSONBOID, pgtype.JSONOID:
		return field.Format == pgtype.TextFormatCode && scanBytes(dest, value)
	case pgtype.ByteaOID:
		return field.Format == pgtype.BinaryFormatCode && scanBytes(dest, value)
	}
	if field.Format != pgtype.BinaryFormatCode {
		return false
	}
	switch field.DataTypeOID {
	case pgtype.UUIDOID:
		return scan(dest, value, decodeUUID)
	case pgtype.TimestamptzOID:
		return scan(dest, value, decodeTime)
	case pgtype.Int2OID:
		return scan(dest, value, decodeInt2)
	case pgtype.Int4OID:
		return scan(dest, value, decodeInt4)
	case pgtype.Int8OID:
		return scan(dest, value, decodeInt8)
	case pgtype.Float8OID:
		return scan(dest, value, decodeFloat8)
	case pgtype.BoolOID:
		return scan(dest, value, decodeBool)
	}
	return false
}

// scan decodes a value into a *T or, where it may be null, a **T.
func scan[T any](dest any, value []byte, decode func([]byte) (T, bool)) bool {
	switch dest := dest.(type) {
	case *T:
		decoded, ok := decode(value)
		if ok {
			*dest = decoded
		}
		return ok
	case **T:
		if value == nil {
			*dest = nil
			return true
		}
		decoded, ok := decode(value)
		if ok {
			*dest = &decoded
		}
		return ok
	}
	return false
}

func scanBytes(dest any, value []byte) bool {
	bytes, ok := dest.(*[]byte)
	if !ok {
		return false
	}
	*bytes = nil
	if value != nil {
		*bytes = append(make([]byte, 0, len(value)), value...)
	}
	return true
}

// scanText notes a text for later, for strings, types such as an enum, and pointers to both.
func (r *rows) scanText(column int, dest any, value []byte) bool {
	switch dest := dest.(type) {
	case *string:
		if value == nil {
			return false
		}
	case **string:
		if value == nil {
			*dest = nil
			return true
		}
	default:
		if known, null := isText(dest, value == nil); !known || null {
			return known
		}
	}
	from := len(r.texts)
	r.texts = append(r.texts, value...)
	r.targets = append(r.targets, textTarget{column, from, len(r.texts)})
	return true
}

// isText reports whether dest points to a type whose underlying type is string and that does
// not scan itself, or to a pointer to one. It sets such a pointer to nil if the value is null.
func isText(dest any, null bool) (known, set bool) {
	target := reflect.TypeOf(dest)
	if target.Kind() != reflect.Pointer {
		return false, false
	}
	if optional := target.Elem(); optional.Kind() == reflect.Pointer && isEnum(optional) {
		if null {
			reflect.ValueOf(dest).Elem().SetZero()
		}
		return true, null
	}
	return !null && isEnum(target), false
}

// isEnum reports whether a type is a pointer to a type of strings without methods that
// change it, such as a Scan.
func isEnum(pointer reflect.Type) bool {
	return pointer.Elem().Kind() == reflect.String && pointer.NumMethod() == pointer.Elem().NumMethod()
}

func assignText(dest any, text string) {
	switch dest := dest.(type) {
	case *string:
		*dest = text
	case **string:
		kept := text // only here is it moved to the heap
		*dest = &kept
	default:
		target := reflect.ValueOf(dest).Elem()
		if target.Kind() == reflect.Pointer {
			target.Set(reflect.New(target.Type().Elem()))
			target = target.Elem()
		}
		target.SetString(text)
	}
}

func decodeUUID(value []byte) (id uuid.UUID, ok bool) {
	return id, copy(id[:], value) == len(id) && len(value) == len(id)
}

// epoch is PostgreSQL's, 2000-01-01, in Unix microseconds.
const epoch = 946_684_800_000_000

func decodeTime(value []byte) (time.Time, bool) {
	n, ok := decodeInt8(value)
	if !ok || n > math.MaxInt64-epoch || n == math.MinInt64 { // infinity, or out of range
		return time.Time{}, false
	}
	return time.UnixMicro(n + epoch), true
}

func decodeInt2(value []byte) (int16, bool) {
	if len(value) != 2 {
		return 0, false
	}
	return int16(binary.BigEndian.Uint16(value)), true
}

func decodeInt4(value []byte) (int32, bool) {
	if len(value) != 4 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(value)), true
}

func decodeInt8(value []byte) (int64, bool) {
	if len(value) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(value)), true
}

func decodeFloat8(value []byte) (float64, bool) {
	n, ok := decodeInt8(value)
	return math.Float64frombits(uint64(n)), ok
}

func decodeBool(value []byte) (truth, ok bool) {
	return len(value) == 1 && value[0] == 1, len(value) == 1
}

// row is the first of some rows.
type row struct {
	rows

	err error // of the query
}

// Scan implements pgx.Row.
func (r *row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.Close()
	if !r.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.Close()
	return r.Err()
}
