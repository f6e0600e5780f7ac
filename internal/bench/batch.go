package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store"
)

// raise is by how many percent prices are raised.
const raise = 5

// batchOperation is a bulk operation as it is measured.
type batchOperation struct {
	name    string
	options map[string]any
	// table is that of the rows. Unless creates is true they are there before, with
	// those that they refer to.
	table   quotekit.ApplicationTable
	creates bool
	exports bool
	floor   batchFloor
	// left counts the rows of user $1 that are as the operation leaves them: all, or
	// none if it deletes.
	left    string
	deletes bool
}

// batchOperations are all operations of package operations, in its order.
func batchOperations() []batchOperation {
	return []batchOperation{
		{
			name: "delete_quotes", table: quotekit.Quotes, floor: deleteQuotesFloor, deletes: true,
			left: `SELECT COUNT(*) FROM quotes WHERE user_id = $1`,
		},
		{
			name: "update_quote_status", table: quotekit.Quotes, floor: updateStatusFloor, options: map[string]any{"status": "sent"},
			left: `SELECT COUNT(*) FROM quotes WHERE user_id = $1 AND status = 'sent'`,
		},
		{
			name: "export_quotes", table: quotekit.Quotes, floor: exportQuotesFloor, exports: true,
			left: `SELECT COUNT(*) FROM quotes WHERE user_id = $1`, // and the file; see submit
		},
		{
			name: "delete_clients", table: quotekit.Clients, floor: deleteClientsFloor, deletes: true,
			left: `SELECT COUNT(*) FROM quotes AS q LEFT JOIN clients AS c ON c.user_id = q.user_id
WHERE q.user_id = $1 AND (q.client_id IS NOT NULL OR c.id IS NOT NULL)`,
		},
		{
			name: "update_item_prices", table: quotekit.Items, floor: updatePricesFloor,
			options: map[string]any{"price_adjustment": map[string]any{"type": "percentage", "value": fmt.Sprint(raise)}},
			left:    `SELECT COUNT(*) FROM items WHERE user_id = $1`, // and their sum; see check
		},
		{
			name: "bulk_create_items", table: quotekit.Items, creates: true, floor: createItemsFloor,
			left: `SELECT COUNT(*) FROM items WHERE user_id = $1`,
		},
		{
			name: "bulk_create_clients", table: quotekit.Clients, creates: true, floor: createClientsFloor,
			left: `SELECT COUNT(*) FROM clients WHERE user_id = $1`,
		},
		{
			name: "bulk_create_quotes", table: quotekit.Quotes, creates: true, floor: createQuotesFloor,
			left: `SELECT COUNT(*) FROM quotes WHERE user_id = $1`,
		},
	}
}

// batchRound is one submission by one user.
type batchRound struct {
	userID string
	rows   []quotekit.Values // of the operation's table
}

func (b batchRound) ids() []string {
	ids := make([]string, len(b.rows))
	for i, row := range b.rows {
		ids[i], _ = row["id"].(string)
	}
	return ids
}

// measure submits a job and waits for its end, several times, each time for another
// user, and after the floor with as many rows of a user of its own.
func (o batchOperation) measure(ctx context.Context, r *runner) (m Measured, err error) {
	items := r.Sizes.BatchItems
	if o.exports {
		items = r.Sizes.ExportItems
	}
	maker := sample.New(rand.NewPCG(r.seed, 4), time.Now)
	err = inPlace(ctx, r.DatabaseURL, func(p *place) error {
		var ours []batchRound
		err := p.prepare(ctx, func(s *store.Store) (err error) {
			ours, err = o.rounds(ctx, s, maker, r.Sizes.BatchRounds+1, items)
			return err
		})
		if err != nil {
			return err
		}
		beside, err := p.beside(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = beside.Close() }() // after an error; else it is closed already
		floors, err := o.rounds(ctx, beside, maker, r.Sizes.BatchRounds+1, items)
		if err != nil {
			return err
		}
		s, _, err := r.serve(ctx, p)
		if err != nil {
			return err
		}
		var times, floorTimes []float64
		for i := range ours {
			floor, err := o.runFloor(ctx, beside, floors[i])
			if err != nil {
				return err
			}
			took, err := o.submit(ctx, s, ours[i])
			if err != nil {
				return err
			}
			if i > 0 { // the first fills caches
				times, floorTimes = append(times, milliseconds(took)), append(floorTimes, milliseconds(floor))
			}
		}
		m.Figures = append(Figures{
			{"batch_ms", median(times)},
			{"floor_ms", median(floorTimes)},
			{"ratio", median(times) / median(floorTimes)},
			{"items_per_second", float64(items) / median(times) * 1000},
		}, s.usage().memory()...)
		if err := errors.Join(beside.Close(), s.stop()); err != nil {
			return err
		}
		return p.look(ctx, func(db *store.Store) error {
			for _, round := range ours {
				if err := o.check(ctx, db, round); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return m, err
}

// rounds makes rows of n users, and inserts them unless the operation does.
func (o batchOperation) rounds(ctx context.Context, s *store.Store, maker *sample.Maker, n, items int) ([]batchRound, error) {
	list := make([]batchRound, n)
	for i := range list {
		rows := o.rows(maker, items)
		list[i] = batchRound{userID: quotekit.NewID(), rows: rows[o.table]}
		if o.creates {
			continue
		}
		if err := s.InsertApplication(ctx, list[i].userID, rows); err != nil {
			return nil, err
		}
	}
	return list, vacuum(ctx, s, "quotes", "clients", "items")
}

// rows are so many of the operation's table, and those that they refer to, or that
// refer to them.
func (o batchOperation) rows(maker *sample.Maker, n int) map[quotekit.ApplicationTable][]quotekit.Values {
	clients, items, quotes := 20, 20, 0
	switch o.table {
	case quotekit.Clients:
		clients, quotes = n, n // whose links a deletion has to look after
	case quotekit.Items:
		clients, items = 0, n
	case quotekit.Quotes:
		quotes = n
	}
	rows := maker.Application(clients, items, quotes)
	for _, quote := range rows[quotekit.Quotes] {
		quote["status"] = quotekit.QuoteStatuses[0]
		if o.creates {
			delete(quote, "client_id") // there is no such client
		}
	}
	return rows
}

func (o batchOperation) runFloor(ctx context.Context, s *store.Store, round batchRound) (time.Duration, error) {
	list, err := idList(s, round.ids())
	if o.creates {
		list, err = rowList(s, round.rows)
	}
	if err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	return o.floor.run(ctx, s, round.userID, list, len(round.rows))
}

// submit submits a job and returns how long it was until the answer that it is
// completed, all of its items succeeded.
func (o batchOperation) submit(ctx context.Context, s *service, round batchRound) (time.Duration, error) {
	user, err := s.user(round.userID)
	if err != nil {
		return 0, err
	}
	request := map[string]any{"operation": o.name, "items": round.ids()}
	if o.creates {
		request["items"] = objects(round.rows)
	}
	if o.options != nil {
		request["options"] = o.options
	}
	body, err := json.Marshal(request)
	if err != nil {
		return 0, fmt.Errorf("encode a job: %w", err)
	}
	began := time.Now()
	text, err := user.do(ctx, http.MethodPost, "/v1/batch-jobs", body, "Prefer", "wait=20")
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	job := gjson.ParseBytes(text)
	if job.Get("status").Str != string(quotekit.BatchCompleted) || job.Get("succeeded_items").Int() != int64(len(round.rows)) {
		return 0, fmt.Errorf("a job of %d items ended as %.500s", len(round.rows), text)
	}
	if !o.exports {
		return took, nil
	}
	file, err := user.get(ctx, "/v1/batch-jobs/"+job.Get("id").Str+"/export")
	if err != nil {
		return 0, err
	}
	if n := gjson.GetBytes(file, "#").Int(); n != int64(len(round.rows)) {
		return 0, fmt.Errorf("the file of an export has %d rows, want %d", n, len(round.rows))
	}
	return took, nil
}

// objects are rows as the API takes them.
func objects(rows []quotekit.Values) []quotekit.Values {
	list := make([]quotekit.Values, len(rows))
	for i, row := range rows {
		list[i] = quotekit.Values{}
		for column, v := range row {
			if column != "id" {
				list[i][column] = v
			}
		}
	}
	return list
}

// check looks whether a job has had its effect on the rows of its user, and has
// recorded an outcome for each.
func (o batchOperation) check(ctx context.Context, db *store.Store, round batchRound) error {
	want := len(round.rows)
	const outcomes = `SELECT COUNT(*) FROM batch_job_items AS i JOIN batch_jobs AS j ON j.id = i.job_id WHERE j.user_id = $1 AND i.outcome = 'succeeded'`
	if err := checkCount(ctx, db, "outcomes of "+o.name, want, outcomes, round.userID); err != nil {
		return err
	}
	if o.deletes {
		want = 0
	}
	if err := checkCount(ctx, db, "rows after "+o.name, want, o.left, round.userID); err != nil {
		return err
	}
	if o.name != "update_item_prices" {
		return nil
	}
	var sum quotekit.Cents
	for _, row := range round.rows {
		price, _ := row["unit_price"].(quotekit.Cents)
		sum += (price*(100+raise) + 50) / 100
	}
	total := `SELECT SUM(unit_price) FROM items WHERE user_id = $1`
	if db.Postgres() {
		total = `SELECT CAST(SUM(unit_price) * 100 AS BIGINT) FROM items WHERE user_id = $1`
	}
	return checkCount(ctx, db, "cents, all prices together,", int(sum), total, round.userID)
}

// vacuum tidies up after many rows were inserted, as Postgres does by itself some time
// later. SQLite has nothing of the kind.
func vacuum(ctx context.Context, s *store.Store, tables ...string) error {
	if !s.Postgres() {
		return nil
	}
	if _, err := s.Writer().ExecContext(ctx, `VACUUM (ANALYZE) `+strings.Join(tables, ", ")); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	return nil
}
