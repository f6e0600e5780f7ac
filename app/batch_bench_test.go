package app_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// batchFloor is what one hand-written, set-based statement does for all rows at
// once, with an outcome and the old values for each: nothing that works with
// this schema could do less. Its arguments are the user, the ids and the job.
type batchFloor struct {
	operation        string
	options          map[string]any
	rows             func(*service, *user) []string
	postgres, sqlite []string
}

var batchFloors = []batchFloor{
	{
		operation: "delete_quotes",
		rows:      func(s *service, u *user) []string { return s.quotes(u, 1000, nil) },
		postgres: []string{`
WITH done AS (DELETE FROM quotes AS t WHERE user_id = $1 AND id = ANY($2::UUID[]) RETURNING id, to_jsonb(t)::TEXT::JSON AS image)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image)
SELECT $3, ROW_NUMBER() OVER (), id, 'succeeded', image FROM done`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image)
SELECT $1, ROW_NUMBER() OVER (), id, 'succeeded', json_object('id', id, 'user_id', user_id, 'client_id', client_id,
  'client_name', client_name, 'client_email', client_email, 'quote_number', quote_number, 'status', status,
  'line_items', json(line_items), 'subtotal', subtotal, 'tax_rate', tax_rate, 'tax_amount', tax_amount, 'total', total,
  'notes', notes, 'valid_until', valid_until, 'created_at', created_at, 'updated_at', updated_at)
FROM quotes WHERE +user_id = $2 AND id IN (SELECT value FROM json_each($3))`,
			`DELETE FROM quotes WHERE +user_id = $1 AND id IN (SELECT value FROM json_each($2))`,
		},
	},
	{
		operation: "update_quote_status", options: map[string]any{"status": "sent"},
		rows: func(s *service, u *user) []string { return s.quotes(u, 1000, nil) },
		postgres: []string{`
WITH old AS (SELECT id, status, updated_at FROM quotes WHERE user_id = $1 AND id = ANY($2::UUID[]) FOR UPDATE),
done AS (
  UPDATE quotes AS t SET status = 'sent', updated_at = now() FROM old WHERE t.id = old.id
  RETURNING t.id, old.status, old.updated_at, t.status AS new_status, t.updated_at AS new_updated_at
)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT $3, ROW_NUMBER() OVER (), id, 'succeeded', json_build_object('status', status, 'updated_at', updated_at),
  json_build_object('status', new_status, 'updated_at', new_updated_at)
FROM done`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT $1, ROW_NUMBER() OVER (), id, 'succeeded', json_object('status', status, 'updated_at', updated_at),
  json_object('status', 'sent', 'updated_at', '2026-01-01 00:00:00+00:00')
FROM quotes WHERE +user_id = $2 AND id IN (SELECT value FROM json_each($3))`,
			`UPDATE quotes SET status = 'sent', updated_at = '2026-01-01 00:00:00+00:00'
WHERE +user_id = $1 AND id IN (SELECT value FROM json_each($2))`,
		},
	},
	{
		operation: "update_item_prices", options: adjustment("percentage", "5"),
		rows: func(s *service, u *user) []string {
			prices := make([]quotekit.Cents, 1000)
			for i := range prices {
				prices[i] = quotekit.Cents(100 + i)
			}
			return s.items(u, prices...)
		},
		postgres: []string{`
WITH old AS (SELECT id, unit_price, updated_at FROM items WHERE user_id = $1 AND id = ANY($2::UUID[]) FOR UPDATE),
done AS (
  UPDATE items AS t SET unit_price = round(t.unit_price * 1.05, 2), updated_at = now() FROM old WHERE t.id = old.id
  RETURNING t.id, old.unit_price, old.updated_at, t.unit_price AS new_price, t.updated_at AS new_updated_at
)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT $3, ROW_NUMBER() OVER (), id, 'succeeded', json_build_object('unit_price', unit_price, 'updated_at', updated_at),
  json_build_object('unit_price', new_price, 'updated_at', new_updated_at)
FROM done`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT $1, ROW_NUMBER() OVER (), id, 'succeeded', json_object('unit_price', unit_price, 'updated_at', updated_at),
  json_object('unit_price', (unit_price * 105 + 50) / 100, 'updated_at', '2026-01-01 00:00:00+00:00')
FROM items WHERE +user_id = $2 AND id IN (SELECT value FROM json_each($3))`,
			`UPDATE items SET unit_price = (unit_price * 105 + 50) / 100, updated_at = '2026-01-01 00:00:00+00:00'
WHERE +user_id = $1 AND id IN (SELECT value FROM json_each($2))`,
		},
	},
}

// BenchmarkBatch works on 1,000 rows: from the POST to the answer that the job is
// completed (batch-ms), and beside it, in the same run, as one set-based
// transaction (floor-ms). Medians; ratio is that of the medians.
//
//	make bench BENCH='Batch$' BENCHTIME=30x
func BenchmarkBatch(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, f := range batchFloors {
			b.Run(engine+"/"+f.operation, func(b *testing.B) {
				s := mustStartBatch(b, benchDatabase(b, engine), app.Options{})
				u := s.user()
				var ours, floor []time.Duration
				for b.Loop() {
					floor = append(floor, s.floor(u, f, f.rows(s, u)))
					ids := f.rows(s, u)
					started := time.Now()
					r, err := u.try("POST", "/v1/batch-jobs", submission(f.operation, ids, f.options), "Prefer", "wait=20")
					ours = append(ours, time.Since(started))
					if err != nil {
						b.Fatal(err)
					}
					j := u.job(r)
					if j.SucceededItems != 1000 {
						b.Fatalf("got %+v", j)
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(ours).Seconds()*1000, "batch-ms")
				b.ReportMetric(median(floor).Seconds()*1000, "floor-ms")
				b.ReportMetric(median(ours).Seconds()/median(floor).Seconds(), "ratio")
			})
		}
	}
}

func benchDatabase(b *testing.B, engine string) string {
	if engine == "sqlite" {
		return storetest.SQLiteURL(b, tables)
	}
	return storetest.PostgresURL(b, tables)
}

// floor runs the statements of f in one transaction and returns how long it took.
func (s *service) floor(u *user, f batchFloor, ids []string) time.Duration {
	s.t.Helper()
	statements, list := f.postgres, "{"+strings.Join(ids, ",")+"}"
	if !s.Store().Postgres() {
		encoded, err := json.Marshal(ids)
		if err != nil {
			s.t.Fatal(err)
		}
		statements, list = f.sqlite, string(encoded)
	}
	started := time.Now()
	tx, err := s.Store().Writer().BeginTx(context.Background(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	job := quotekit.NewID()
	for _, statement := range statements {
		args := []any{u.id, list, job}
		switch {
		case !strings.Contains(statement, "$3"):
			args = args[:2]
		case !s.Store().Postgres(): // bound in the order of appearance
			args = []any{job, u.id, list}
		}
		result, err := tx.Exec(statement, args...)
		if err != nil {
			s.t.Fatal(err)
		}
		if n, err := result.RowsAffected(); err != nil || int(n) != len(ids) {
			s.t.Fatalf("%d rows, %v", n, err)
		}
	}
	if err := tx.Commit(); err != nil {
		s.t.Fatal(err)
	}
	return time.Since(started)
}

// BenchmarkBatchCrowd has 20 users submit a job of 1,000 items at once. wait-ms
// is the longest time from a submission to the first outcome of its job, own-ms
// the time from there to its end of the same job, and ratio the largest of wait
// to own of any job.
//
//	make bench BENCH=BatchCrowd BENCHTIME=5x
func BenchmarkBatchCrowd(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := mustStartBatch(b, benchDatabase(b, engine), app.Options{})
			var longest, own time.Duration
			var ratio float64
			for b.Loop() {
				var crowd sync.WaitGroup
				var mu sync.Mutex
				for range 20 {
					u := s.user()
					ids := s.quotes(u, 1000, nil)
					crowd.Go(func() {
						wait, work := u.watched("delete_quotes", ids)
						mu.Lock()
						defer mu.Unlock()
						if wait > longest {
							longest, own = wait, work
						}
						ratio = max(ratio, wait.Seconds()/work.Seconds())
					})
				}
				crowd.Wait()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(longest.Seconds()*1000, "wait-ms")
			b.ReportMetric(own.Seconds()*1000, "own-ms")
			b.ReportMetric(ratio, "ratio")
		})
	}
}

// watched runs a job and returns how long its first outcome took, and how long
// it took from there to the end, by the job's own stream of events.
func (u *user) watched(operation string, ids []string) (wait, work time.Duration) {
	started := time.Now()
	j := u.submit(operation, ids, nil)
	var first time.Time
	for _, event := range u.stream(j.ID) {
		var seen batch.Job
		if err := json.Unmarshal([]byte(event.data), &seen); err != nil {
			u.t.Error(err)
			return 1, 1
		}
		if first.IsZero() && seen.ProcessedItems > 0 {
			first = event.at
		}
	}
	return first.Sub(started), time.Since(first)
}

// event is a server-sent event.
type event struct {
	id, name, data string
	at             time.Time
}

// stream reads the events of a job until they end.
func (u *user) stream(jobID string) []event {
	var events []event
	err := u.listen(jobID, func(e event) { events = append(events, e) })
	if err != nil {
		u.t.Error(err)
	}
	return events
}

func median(list []time.Duration) time.Duration {
	list = slices.Clone(list)
	slices.Sort(list)
	if len(list) == 0 {
		panic("no measurements")
	}
	return list[len(list)/2]
}
