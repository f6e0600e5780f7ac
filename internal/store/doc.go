// Package store owns all SQL and the database drivers: nobody else writes a
// statement, and only package jobs gets at the pools, to hand them to River.
//
// One text of every statement runs on both engines, SQLite through
// modernc.org/sqlite and Postgres through pgx, by way of database/sql. What
// cannot be shared is the data definition (migrations/, same numbers on both)
// and the few questions of dialect.go.
//
// Methods on [Store] are whole transactions, or reads. Methods on [Tx] join
// the transaction they are called in.
//
// The rules for a statement, each learned from one engine or the other:
//
//   - Placeholders are $1, $2, … and numbered in the order they appear first.
//     SQLite takes them for names and binds by first appearance.
//   - Values are string, int64, float64, bool, []byte, time.Time and nil. JSON
//     and UUIDs travel as strings. Times are UTC and have microseconds, which
//     is what Postgres keeps; [Tx.Now] is made so.
//   - The time is [Tx.Now], read once per transaction; never now() in SQL.
//   - Ids are made in Go or by Stripe. Never a sequence, never LastInsertId.
//   - Decide by a conditional UPDATE and look at the number of rows. Never
//     SELECT … FOR UPDATE, which SQLite does not know.
//   - Rows of a multi-row statement are unique by key, since ON CONFLICT DO
//     UPDATE may not touch a row twice, and sorted by key, so that two
//     processes lock in the same order. See [Tx.multiRow].
//   - Write NULLS FIRST or NULLS LAST wherever NULLs are sorted: the defaults
//     of the engines are opposite. Cast sum and avg. Cast the first row of a
//     VALUES list that stands outside an INSERT.
//   - Lists of arguments come in bounded pieces: statement texts are few, so
//     that they stay prepared.
//   - Quote columns whose name may be a keyword; generated statements quote all.
//   - Amounts of quotes and items are NUMERIC(10,2) on Postgres and integer
//     cents on SQLite, which has no decimals. Stripe's amounts are integers on
//     both.
//   - The payload of an event is bytes: it is evidence, and may hold what JSONB
//     and TEXT refuse, like \u0000. Clean what goes into typed columns.
//   - Nothing slow while a transaction is open: no network, no handler.
//
// During a rollout an older version works on the schema of a newer one, beside it.
// It takes migrations that it does not know for somebody else's and starts. So a
// migration adds: tables, columns that may be null or have a default, indexes. It
// renames and removes only what the version before has ceased to use, and adds a
// constraint only if what that version writes satisfies it.
//
// A new table has its place in rights.sql, and a migration that replaces one of the
// functions of the user's document says again that it is SECURITY DEFINER and has its own
// search_path, as in the migration called supabase.
//
// On SQLite there is one connection that writes. database/sql serves those who
// wait for it in random order, so a caller that cares queues by itself before
// it calls [Store.WithTx].
package store
