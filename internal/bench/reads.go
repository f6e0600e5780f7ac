package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// historyDays is how long the past of the reads is.
	historyDays = 30
	// historyJobs are its bulk operations, if there are as many events, and historyLogs the rows of logs of an event.
	historyJobs, historyLogs = 20_000, 3
	// warmReads are those that do not count.
	warmReads = 5
)

// read is what the dashboard asks.
type read struct {
	name, path string
	query      url.Values
	// member is something of the answer, as a path of gjson, and want what it is to be;
	// anything if it is empty.
	member, want string
}

// dashboardReads are the reads of the pages, of a history until now.
func dashboardReads(h History) []read {
	const day = 24 * time.Hour
	between := func(from, to time.Duration, more ...string) url.Values {
		q := url.Values{"from": {h.Until.Add(-from).Format(time.RFC3339)}, "to": {h.Until.Add(-to).Format(time.RFC3339)}}
		for i := 0; i+1 < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	last := func(length time.Duration, more ...string) url.Values { return between(length, 0, more...) }
	only := func(name, value string) url.Values { return url.Values{name: {value}} }
	dead := strconv.Itoa((h.Events - pendingEvents + 1000 - 7) / 1000)
	const (
		overview, performance     = "/v1/monitor/overview", "/v1/monitor/performance"
		events, letters           = "/v1/monitor/events", "/v1/monitor/dead-letter-queue"
		trail, batches, search    = "/v1/monitor/audit-trail", "/v1/monitor/batch-jobs", "/v1/monitor/search"
		anEvent, anObject, nobody = "evt_7", "obj_7", "nobody@example.com"
	)
	return []read{
		{"overview/1h", overview, last(time.Hour), "dead_letters", dead},
		{"overview/24h", overview, last(day), "dead_letters", dead},
		{"overview/30d", overview, last(historyDays * day), "total_events", strconv.Itoa(h.Events)},
		{"performance/1h", performance, last(time.Hour), "bucket_seconds", "60"},
		{"performance/24h", performance, last(day), "bucket_seconds", "900"},
		{"performance/24h,one_type", performance, last(day, "event_type", "invoice.paid"), "bucket_seconds", "900"},
		{"performance/30d", performance, last(historyDays * day), "by_type.#", strconv.Itoa(len(eventTypes))},
		{"events", events, nil, "items.0.status", "pending"},
		{"events/dead", events, only("status", "dead"), "items.0.status", "dead"},
		{"event", events + "/" + anEvent, nil, "stripe_event_id", anEvent},
		{"object", "/v1/monitor/objects/" + anObject, nil, "id", anObject},
		{"search", search, only("q", anEvent), "items.0.id", anEvent},
		{"search/nothing", search, only("q", nobody), "items.#", "0"},
		{"dead_letters", letters, nil, "items.0.resolved", "false"},
		{"dead_letters/open", letters, only("resolved", "false"), "items.0.resolved", "false"},
		{"dead_letters/of_a_type", letters, url.Values{"resolved": {"false"}, "event_type": {"product.created"}}, "items", ""},
		{"audit_trail", trail, nil, "items.0.stripe_event_id", fmt.Sprintf("evt_%d", h.Events)},
		{"audit_trail/operators", trail, only("operators_only", "true"), "items.0.actor", "ada"},
		{"audit_trail/an_actor", trail, only("actor", "ada"), "items.0.actor", "ada"},
		{"audit_trail/nobody", trail, only("actor", "nobody"), "items.#", "0"},
		{"audit_trail/a_day_long_ago", trail, between(20*day, 19*day, "operators_only", "true"), "items", ""},
		{"batch_jobs", batches, nil, "items.0.total_items", "1000"},
		{"batch_jobs/running", batches, only("running", "true"), "items.0.status", "processing"},
	}
}

// measureReads fills a database with a long past and reads what the dashboard does.
// Nobody works on jobs meanwhile, so that the past stays as it is.
func measureReads(ctx context.Context, r *runner) (m Measured, err error) {
	err = inPlace(ctx, r.DatabaseURL, func(p *place) error {
		h := longPast(r.Events)
		began := time.Now()
		if err := p.prepare(ctx, func(s *store.Store) error { return h.Fill(ctx, s) }); err != nil {
			return err
		}
		filled := time.Since(began)
		m.Figures = Figures{{"stored_events", float64(h.Events)}, {"fill_seconds", filled.Seconds()}}
		r.Progress(fmt.Sprintf("reads: %d events were stored in %s", h.Events, filled.Round(time.Second/10)))
		s, _, err := r.serve(ctx, p, "--role", "web")
		if err != nil {
			return err
		}
		operator := s.operator()
		for _, read := range dashboardReads(h) {
			times, err := read.measure(ctx, operator, r.Sizes.Reads)
			if err != nil {
				return err
			}
			m.Parts = append(m.Parts, Part{read.name, Figures{
				{"fastest_ms", milliseconds(Quantile(times, 0))}, // when nobody else wants the processor
				{"p50_ms", milliseconds(Quantile(times, 0.5))},
				{"p95_ms", milliseconds(Quantile(times, 0.95))},
			}})
		}
		m.Figures = append(m.Figures, s.usage().memory()...)
		return s.stop()
	})
	return m, err
}

// measure reads again and again, and returns how long each took, sorted. It fails if
// an answer is not about the history.
func (r read) measure(ctx context.Context, operator caller, n int) ([]time.Duration, error) {
	path := r.path
	if len(r.query) > 0 {
		path += "?" + r.query.Encode()
	}
	var times []time.Duration
	for i := range warmReads + n {
		began := time.Now()
		text, err := operator.get(ctx, path)
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		if got := gjson.GetBytes(text, r.member); !got.Exists() || (r.want != "" && got.String() != r.want) {
			return nil, fmt.Errorf("%s: %s is %.100q, want %q", path, r.member, got.String(), r.want)
		}
		if i >= warmReads {
			times = append(times, took)
		}
	}
	slices.Sort(times)
	return times, nil
}

// longPast is a history until now, with times as they might be: most of them some
// milliseconds, some of them far more.
func longPast(events int) History {
	random := rand.New(rand.NewPCG(1, 2))
	var times, minute histogram.Histogram
	for i := range 200 {
		took := time.Duration(math.Exp(random.NormFloat64()/2+8)) * time.Microsecond
		times.Add(took)
		if i < 10 {
			minute.Add(took)
		}
	}
	return History{
		Events: events, Days: historyDays, Until: time.Now().UTC().Truncate(time.Minute), Logs: historyLogs * events, Trail: true,
		Jobs: min(historyJobs, events), Histogram: times.String(), MinuteHistogram: minute.String(),
	}
}
