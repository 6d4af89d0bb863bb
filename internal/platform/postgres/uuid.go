package postgres

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// registerUUID makes pgx send and scan uuid.UUID in binary. By default pgx treats it as a
// database/sql type, and takes each id through a string. Pgx-google-uuid would fix that,
// but pgx asks for its plans too late.
func registerUUID(types *pgtype.Map) {
	pgxuuid.Register(types)
	types.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
}

type uuidCodec struct{ pgxuuid.UUIDCodec }

// PlanEncode implements pgtype.Codec.
func (c uuidCodec) PlanEncode(types *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return binaryUUID{}
	}
	return c.UUIDCodec.PlanEncode(types, oid, format, value)
}

// PlanScan implements pgtype.Codec.
func (c uuidCodec) PlanScan(types *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return binaryUUID{}
	}
	return c.UUIDCodec.PlanScan(types, oid, format, target)
}

type binaryUUID struct{}

// Encode implements pgtype.EncodePlan.
func (binaryUUID) Encode(value any, buffer []byte) ([]byte, error) {
	id, ok := value.(uuid.UUID)
	if !ok {
		return nil, fmt.Errorf("cannot encode a %T as a UUID", value)
	}
	return append(buffer, id[:]...), nil
}

// Scan implements pgtype.ScanPlan.
func (binaryUUID) Scan(source []byte, target any) error {
	id, ok := target.(*uuid.UUID)
	if !ok || len(source) != len(id) {
		return fmt.Errorf("cannot read %d bytes as a UUID", len(source))
	}
	copy(id[:], source)
	return nil
}
