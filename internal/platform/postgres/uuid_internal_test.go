package postgres

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

func TestUUIDsAreSentAndReadInBinary(t *testing.T) {
	t.Parallel()
	types := pgtype.NewMap()
	registerUUID(types)
	id := uuid.New()
	require.Equal(t, binaryUUID{}, types.PlanEncode(pgtype.UUIDOID, pgtype.BinaryFormatCode, id), "not by way of a string")
	for name, value := range map[string]any{"value": id, "pointer": &id} {
		encoded, err := types.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, value, nil)
		require.NoError(t, err, name)
		require.Equal(t, id[:], encoded, name)
		var read *uuid.UUID
		require.NoError(t, types.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, encoded, &read), name)
		require.Equal(t, id, *read, name)
	}
	var none *uuid.UUID
	encoded, err := types.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, none, nil)
	require.NoError(t, err)
	require.Nil(t, encoded, "NULL")
}
