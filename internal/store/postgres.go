package store

import (
	"cmp"
	"context"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// postgresConns is the size of the pool unless it is configured.
	postgresConns = 16
	// preparedStatements is how many texts a connection keeps prepared. The
	// mirror alone has eight sizes of eight upserts.
	preparedStatements = 1024
)

func (s *Store) openPostgres(ctx context.Context, rawURL string, conns int) error {
	s.dialect = Postgres
	c, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return err // pgx hides the password
	}
	switch u, err := url.Parse(rawURL); {
	case conns > 0:
		c.MaxConns = int32(conns)
	case err != nil || !u.Query().Has("pool_max_conns"):
		c.MaxConns = postgresConns
	}
	params := c.ConnConfig.RuntimeParams
	params["search_path"] = pgx.Identifier{s.schema}.Sanitize()
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "quotekit"
	}
	c.ConnConfig.Tracer = statementTracer{}
	c.ConnConfig.StatementCacheCapacity = preparedStatements
	c.ConnConfig.OnPgError = outliving(c.ConnConfig.OnPgError)
	s.dialer = &dialer{open: map[*connection]bool{}}
	c.ConnConfig.DialFunc = s.dialer.dial
	c.ConnConfig.ConnectTimeout = cmp.Or(c.ConnConfig.ConnectTimeout, connectTimeout)
	c.PingTimeout = cmp.Or(c.PingTimeout, pingTimeout)

	if s.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return err
	}
	s.writer = stdlib.OpenDBFromPool(s.pool)
	s.reader = s.writer
	return nil
}

// readOnly is the SQLSTATE of a write on a server, or in a session, that only
// reads.
const readOnly = "25006"

// outliving makes connections end that only read: the server may have become a
// standby, or its database may have been made read-only for a while, and a
// session that began then stays so. The next connection finds what is there now.
func outliving(before pgconn.PgErrorHandler) pgconn.PgErrorHandler {
	return func(c *pgconn.PgConn, err *pgconn.PgError) bool {
		return err.Code != readOnly && before(c, err)
	}
}
