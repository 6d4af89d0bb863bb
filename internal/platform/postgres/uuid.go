package postgres

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// registerUUID makes pgx send and scan uuid.UUID in binary. By default pgx treats it as a
// database/sql type and scans each id through a string. pgx-google-uuid fixes encoding,
// but pgx consults its scan plans too late.
func registerUUID(types *pgtype.Map) {
	pgxuuid.Register(types)
	types.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
}

type uuidCodec struct{ pgxuuid.UUIDCodec }

// PlanScan implements pgtype.Codec.
func (c uuidCodec) PlanScan(types *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return binaryUUID{}
	}
	return c.UUIDCodec.PlanScan(types, oid, format, target)
}

type binaryUUID struct{}

// Scan implements pgtype.ScanPlan.
func (binaryUUID) Scan(source []byte, target any) error {
	id, ok := target.(*uuid.UUID)
	if !ok || len(source) != len(id) {
		return fmt.Errorf("cannot read %d bytes as a UUID", len(source))
	}
	copy(id[:], source)
	return nil
}
