// Package postgres holds the pool, the transaction and the meaning of
// PostgreSQL's errors.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/avelto/convo/gen/db"
)

// DB runs statements on a pool, each in a transaction of its own.
type DB struct {
	pool   *pgxpool.Pool
	direct *pgxpool.Config // that of the pool, unless there is a pooler
}

// Options of a pool. The zero value uses pgx's defaults.
type Options struct {
	MaxConns int32
	Tracing  bool // OpenTelemetry spans for each statement
	// StatementTimeout bounds each statement, also in the background and on connections
	// that no longer respond; 0 for no bound.
	StatementTimeout time.Duration
	// IdleInTransaction bounds how long the database waits for the next statement of a
	// transaction; 0 for no bound. On a frozen connection none comes, and the transaction
	// would keep its locks. Through a pooler that gives each transaction another session
	// it has no effect: the pooler needs a setting for that.
	IdleInTransaction time.Duration
	// DirectURL is set if the database is reached through a pooler that gives each
	// transaction another session, such as PgBouncer's transaction mode. It leads to
	// PostgreSQL itself, for what needs a session.
	DirectURL string
	// ApplicationName is the name of the sessions, ApplicationName if empty.
	ApplicationName string
}

// ApplicationName is the application_name of the sessions of servers and workers.
const ApplicationName = "convo"

// Open connects to a database by URL or keyword string. Several hosts and
// target_session_attrs are supported (libpq's connection strings). The caller
// closes it.
func Open(ctx context.Context, url string, options Options) (*DB, error) {
	config, err := configure(url, options)
	if err != nil {
		return nil, err
	}
	direct := config
	if options.DirectURL == "" {
		config.AfterConnect = onConnect(options.IdleInTransaction)
	} else {
		// Without named prepared statements, which belong to a session. Descriptions of
		// statements are kept, so that values are encoded as without a pooler.
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		if direct, err = configure(options.DirectURL, options); err != nil {
			return nil, fmt.Errorf("CONVO_DATABASE_DIRECT_URL, like DATABASE_URL: %w", err)
		}
		direct.AfterConnect = onConnect(options.IdleInTransaction)
	}
	d := &DB{direct: direct}
	config.ShouldPing = d.isBroken
	if d.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	return d, nil
}

// isBroken reports whether a connection that was idle no longer responds. If so, the others
// are replaced too: what broke one has most likely broken them, and to find each by a
// check of its own would take seconds times their number.
func (d *DB) isBroken(ctx context.Context, idle pgxpool.ShouldPingParams) bool {
	if idle.IdleDuration <= maxUnchecked {
		return false
	}
	checking, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := idle.Conn.Ping(checking); err == nil {
		return false
	}
	if ctx.Err() == nil {
		d.pool.Reset()
	}
	return true // the pool checks it once more, which fails, and closes it
}

func configure(url string, options Options) (*pgxpool.Config, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	if options.MaxConns > 0 {
		config.MaxConns = options.MaxConns
	}
	config.ConnConfig.Tracer = tracer(options)
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.DialFunc = newDialer().DialContext
	config.AfterConnect, config.BeforeClose = onConnect(0), beforeClose
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.RuntimeParams["application_name"] = cmp.Or(options.ApplicationName, ApplicationName)
	return config, nil
}

// onConnect prepares a new connection. The timeout of its session is set by a statement,
// since poolers refuse it as a parameter of the connection; 0 for none.
func onConnect(idleInTransaction time.Duration) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		registerUUID(conn.TypeMap())
		if idleInTransaction <= 0 {
			return nil
		}
		set := fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", idleInTransaction.Milliseconds())
		if _, err := conn.Exec(ctx, set, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("set idle_in_transaction_session_timeout: %w", err)
		}
		return nil
	}
}

// beforeClose closes a frozen connection after closeTimeout. Pgx would wait 15 seconds for
// the other side to close it, and meanwhile the pool opens no other in its place.
func beforeClose(conn *pgx.Conn) {
	time.AfterFunc(closeTimeout, func() { _ = conn.PgConn().Conn().Close() }) // it is closed already, unless frozen
}

// parse reads a database URL. The error never contains it: it may hold a password.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	// An unescaped slash in a password makes the rest of it the database's name.
	if err == nil && !strings.ContainsRune(config.ConnConfig.Database, '@') {
		return config, nil
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("DATABASE_URL names a file that cannot be read: %w", file.Err)
	}
	return nil, errors.New("DATABASE_URL is not a PostgreSQL URL (postgres://user:password@host:port/database) or keyword string; special characters in a URL must be percent-encoded")
}

// Sessions returns the number of other sessions on the database that have a name.
func (d *DB) Sessions(ctx context.Context, applicationName string) (n int, err error) {
	const query = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`
	if err := d.pool.QueryRow(ctx, query, applicationName).Scan(&n); err != nil {
		return 0, fmt.Errorf("count sessions: %w", err)
	}
	return n, nil
}

// queue are the settings of sessions that take work from queues. The statistics of such a
// table are mostly those of an empty one, and so are plans that are kept: both make reading
// all of it look cheap. So these sessions plan each statement for the table as it is then,
// and find rows by indexes alone. Commits do not wait for the disk.
var queue = map[string]string{
	"synchronous_commit": "off", "plan_cache_mode": "force_custom_plan", "jit": "off",
	"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_sort": "off",
}

// keyed are the settings of sessions that find rows by their keys.
var keyed = map[string]string{"plan_cache_mode": "force_generic_plan", "jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

// Queue opens another pool on the same database, for statements that take work from queues
// and record what became of it. Their commits do not wait for the disk
// (synchronous_commit): a crash of PostgreSQL may undo the latest, so it is for work that is
// repeated after a crash. The caller closes it.
func (d *DB) Queue(ctx context.Context, maxConns int32) (*DB, error) {
	return d.apart(ctx, d.direct.Copy(), maxConns, queue)
}

// Keyed opens another pool on the same database, for statements that find rows by their keys.
// Their plans, which may be kept from when the tables were empty, use indexes alone. The caller
// closes it.
func (d *DB) Keyed(ctx context.Context, maxConns int32) (*DB, error) {
	return d.apart(ctx, d.direct.Copy(), maxConns, keyed)
}

// Apart opens another pool on the same database, for work that must neither wait for
// requests nor delay them. The caller closes it.
func (d *DB) Apart(ctx context.Context, maxConns int32) (*DB, error) {
	return d.apart(ctx, d.pool.Config(), maxConns, nil)
}

// Direct opens another pool, on PostgreSQL itself also if there is a pooler, for what
// needs a session: LISTEN, session locks. The caller closes it.
func (d *DB) Direct(ctx context.Context, maxConns int32) (*DB, error) {
	return d.apart(ctx, d.direct.Copy(), maxConns, nil)
}

// DirectConfig returns how to connect to PostgreSQL itself, also if there is a pooler.
func (d *DB) DirectConfig() *pgx.ConnConfig { return d.direct.ConnConfig.Copy() }

func (d *DB) apart(ctx context.Context, config *pgxpool.Config, maxConns int32, parameters map[string]string) (*DB, error) {
	config.MaxConns, config.MinConns = maxConns, 0
	maps.Copy(config.ConnConfig.RuntimeParams, parameters)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	return &DB{pool: pool, direct: d.direct}, nil
}

// Pool returns the pool itself, for what needs a connection of its own.
func (d *DB) Pool() *pgxpool.Pool { return d.pool }

// Close waits for running statements and closes the pool.
func (d *DB) Close() { d.pool.Close() }

// Ping reports whether the database responds.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Exec implements db.DBTX.
func (d *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return d.pool.Exec(ctx, sql, args...)
}

// Query implements db.DBTX.
func (d *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return d.pool.Query(ctx, sql, args...)
}

// QueryRow implements db.DBTX.
func (d *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return d.pool.QueryRow(ctx, sql, args...)
}

// CopyFrom implements db.DBTX.
func (d *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return d.pool.CopyFrom(ctx, table, columns, rows)
}

// PlanEachTime runs queries with a plan for their arguments. By default, PostgreSQL may use
// one generic plan after five executions.
func PlanEachTime(on db.DBTX) db.DBTX { return eachTime{on} }

type eachTime struct{ db.DBTX }

func (e eachTime) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return e.DBTX.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
}
