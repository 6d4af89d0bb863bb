//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	floorColumns = "id, status, fields, score, source, conversation_id, crm_external_id, created_at, updated_at"
	floorList    = "SELECT " + floorColumns + " FROM leads WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
	floorGet     = "SELECT " + floorColumns + " FROM leads WHERE workspace_id = $1 AND id = $2"
	// floorInsert stores a lead and one row that says so, for the worker that numbers
	// and delivers events later.
	floorInsert = `WITH created AS (
    INSERT INTO leads (workspace_id, id, status, fields, source, created_at, updated_at)
    VALUES ($1, $2, 'NEW', $3, $4, $5, $5) RETURNING fields
), noted AS (
    INSERT INTO bench_outbox (workspace_id, id, type, data, occurred_at) VALUES ($1, $6, 'lead.created', $7, $5)
) SELECT fields FROM created`
	// floorOutbox has the one index that a reader of an outbox needs.
	floorOutbox = `CREATE TABLE bench_outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace_id uuid NOT NULL, id uuid NOT NULL,
    type text NOT NULL, data text NOT NULL, occurred_at timestamptz(3) NOT NULL
)`
)

// floorConn is a connection with its three statements prepared. pgconn is the lower half of
// pgx: values are passed and received as PostgreSQL's own bytes, without a type map.
type floorConn struct {
	conn              *pgconn.PgConn
	list, get, insert *pgconn.StatementDescription

	values  [7][]byte // arguments, which are reused
	first   [16]byte
	second  [16]byte
	third   [16]byte
	number  [8]byte
	instant [8]byte
}

const (
	textFormat   = 0
	binaryFormat = 1
)

var (
	binaryArguments = []int16{binaryFormat}
	insertArguments = []int16{binaryFormat, binaryFormat, textFormat, textFormat, binaryFormat, binaryFormat, textFormat}
	// rowFormats: ids, numbers and timestamps in binary; the binary form of jsonb has one
	// byte more than its text.
	rowFormats    = []int16{binaryFormat, binaryFormat, textFormat, binaryFormat, binaryFormat, binaryFormat, binaryFormat, binaryFormat, binaryFormat}
	insertResults = []int16{textFormat}
	greatestID    = [16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

func connectFloor(ctx context.Context, url string) (*floorConn, error) {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &floorConn{conn: conn}
	for _, statement := range []struct {
		name, sql string
		prepared  **pgconn.StatementDescription
	}{{"list", floorList, &c.list}, {"get", floorGet, &c.get}, {"insert", floorInsert, &c.insert}} {
		if *statement.prepared, err = conn.Prepare(ctx, statement.name, statement.sql, nil); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", statement.name, err)
		}
	}
	return c, nil
}

// read runs a statement and appends each row. Statements have no deadline: the background
// context costs nothing to watch.
func (c *floorConn) read(b []byte, statement *pgconn.StatementDescription, arguments int, most int) ([]byte, error) {
	rows := c.conn.ExecStatement(context.Background(), statement, c.values[:arguments], binaryArguments[:1], rowFormats)
	for n := 0; rows.NextRow(); n++ {
		if n == most {
			continue // tells only that there is a next page
		}
		if n > 0 {
			b = append(b, ',')
		}
		b = appendRow(b, rows.Values())
	}
	_, err := rows.Close()
	return b, err
}

// appendLeads appends the newest leads of a workspace as a JSON array. It reads one row
// more, like the product, which needs it for the link to the next page.
func (c *floorConn) appendLeads(b []byte, workspace [16]byte, limit int) ([]byte, error) {
	c.first, c.second = workspace, greatestID
	binary.BigEndian.PutUint64(c.number[:], uint64(limit+1)) // LIMIT takes a bigint
	c.values[0], c.values[1], c.values[2] = c.first[:], c.second[:], c.number[:]
	b, err := c.read(append(b, '['), c.list, 3, limit)
	return append(b, ']'), err
}

// appendLead appends a lead, or nothing if there is none.
func (c *floorConn) appendLead(b []byte, workspace, lead [16]byte) ([]byte, error) {
	c.first, c.second = workspace, lead
	c.values[0], c.values[1] = c.first[:], c.second[:]
	return c.read(b, c.get, 2, 1)
}

// insertLead stores a lead and its event, and appends it with its fields as PostgreSQL
// prints them.
func (c *floorConn) insertLead(b []byte, lead *newRow, event []byte) ([]byte, error) {
	c.first, c.second, c.third = lead.workspace, lead.id, newID(lead.at)
	binary.BigEndian.PutUint64(c.instant[:], uint64(lead.at.UnixMicro()-epochMicros))
	c.values = [7][]byte{c.first[:], c.second[:], lead.fields, lead.source, c.instant[:], c.third[:], event}
	rows := c.conn.ExecStatement(context.Background(), c.insert, c.values[:], insertArguments, insertResults)
	stored := false
	for rows.NextRow() {
		b, stored = lead.appendTo(b, rows.Values()[0]), true
	}
	_, err := rows.Close()
	if err == nil && !stored {
		err = errors.New("nothing was stored")
	}
	return b, err
}
