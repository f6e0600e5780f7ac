package store_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestFunctions_DeadLetterID(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	ids := []string{"", "evt_1", "evt_ümläut", strings.Repeat("x", 255)}
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 150 { // over the length of three blocks
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(33 + random.IntN(90))
		}
		ids = append(ids, string(b))
	}
	for _, id := range ids {
		var got string
		if err := s.Reader().QueryRowContext(t.Context(), `SELECT webhook_dead_letter_id($1)`, id).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := quotekit.DeadLetterID(id); got != want {
			t.Errorf("%q: got %s, want %s", id, got, want)
		}
	}
}

// TestFunctions_SendToDeadLetterQueue: the letter is the one the service would make,
// whoever comes first.
func TestFunctions_SendToDeadLetterQueue(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	mustReceive(t, s, "a.b", quotekit.EventPending, "evt_pending")
	mustReceive(t, s, "a.b", quotekit.EventSucceeded, "evt_done")
	mustReceive(t, s, "a.b", quotekit.EventIgnored, "evt_ignored")
	const send = `SELECT send_to_dead_letter_queue($1, 'a.b', '{"id": "x"}', $2, $3)`
	call := func(id string, count any) (letter string, err error) {
		err = s.Reader().QueryRowContext(t.Context(), send, id, "THEIR_REASON", count).Scan(&letter)
		return letter, err
	}
	for _, id := range []string{"evt_pending", "evt_unknown", "evt_unknown"} {
		letter, err := call(id, 2)
		if err != nil || letter != quotekit.DeadLetterID(id) {
			t.Errorf("%s: got %s, %v", id, letter, err)
		}
	}
	for id, state := range map[string]string{"evt_done": "55000", "evt_ignored": "55000", "": "22023"} {
		if letter, err := call(id, 1); err == nil || !strings.Contains(err.Error(), state) {
			t.Errorf("%q: got %s, %v, want SQLSTATE %s", id, letter, err, state)
		}
	}
	if _, err := call("evt_pending", 0); err == nil || !strings.Contains(err.Error(), "22023") {
		t.Errorf("a count of 0: got %v", err)
	}
	got := lines(t, s, `SELECT concat_ws(' ', d.stripe_event_id, d.failure_count, d.failure_reason, d.requires_manual_review, d.resolved, e.status, e.failure_reason, e.next_attempt_at)
		FROM webhook_dead_letter_queue AS d LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = d.stripe_event_id ORDER BY d.stripe_event_id`)
	want := []string{"evt_pending 2 THEIR_REASON t f dead THEIR_REASON", "evt_unknown 4 THEIR_REASON t f"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// It goes on as if the service had buried it.
	mustTx(t, s, func(tx *store.Tx) error {
		if _, ok, err := tx.RearmEvent(t.Context(), "evt_pending", quotekit.ReplayStored, quotekit.EventDead); !ok || err != nil {
			t.Errorf("rearm: got %v, %v", ok, err)
		}
		return tx.Bury(t.Context(), []store.DeadLetter{{EventID: "evt_pending", EventType: "a.b", Data: "{}", Reason: quotekit.ReasonTimeout}})
	})
	if n := lines(t, s, `SELECT failure_count FROM webhook_dead_letter_queue WHERE stripe_event_id = 'evt_pending'`); !slices.Equal(n, []string{"3"}) {
		t.Errorf("buried by the service, too: got the counts %q, want 3 in one row", n)
	}
	mustFold(t, s)
	if got, want := counted(t, s), countedAnew(t, s); !slices.Equal(got, want) {
		t.Errorf("the counts differ from the events:\n%s", diff(want, got))
	}
}

func TestFunctions_RecordWebhookStage(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	ids := lines(t, s, `SELECT record_webhook_stage('evt_1', 'a.b', 'validation', 'completed')
		UNION ALL SELECT record_webhook_stage(p_stripe_event_id => 'evt_1', p_event_type => 'a.b', p_stage => 'handler', p_status => 'failed',
			p_execution_time_ms => 17, p_error_message => 'no', p_handler_name => 'theirs', p_metadata => '{"k": 1}')`)
	got := lines(t, s, `SELECT concat_ws(' ', id, stripe_event_id, event_type, processing_stage, status, execution_time_ms, error_message, handler_name, retry_attempt, metadata, age(created_at) < '1 hour')
		FROM webhook_processing_logs ORDER BY created_at`)
	if len(ids) != 2 {
		t.Fatalf("got the ids %q", ids)
	}
	want := []string{ids[0] + " evt_1 a.b validation completed 0 {} t", ids[1] + ` evt_1 a.b handler failed 17 no theirs 0 {"k": 1} t`}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, bad := range []string{`NULL, 'a.b', 'x', 'y'`, `'evt_1', NULL, 'x', 'y'`, `'evt_1', 'a.b', NULL, 'y'`, `'evt_1', 'a.b', 'x', NULL`} {
		if _, err := s.Reader().ExecContext(t.Context(), `SELECT record_webhook_stage(`+bad+`)`); err == nil {
			t.Errorf("record_webhook_stage(%s) is taken", bad)
		}
	}
}

// TestFunctions_GetWebhookPerformanceSummary compares with what was put in: events of
// the service that failed, were retried and delivered again, and those of others.
func TestFunctions_GetWebhookPerformanceSummary(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	const slow = "customer.subscription.created" // its baseline is 500
	mustReceive(t, s, slow, quotekit.EventPending, "evt_1", "evt_2", "evt_3", "evt_4")
	mustReceive(t, s, slow, quotekit.EventDead, "evt_1")
	mustReceive(t, s, slow, quotekit.EventSucceeded, "evt_1", "evt_2", "evt_3") // retried
	mustReceive(t, s, slow, quotekit.EventDead, "evt_4")
	mustReceive(t, s, "a.waits", quotekit.EventPending, "evt_5")
	var times histogram.Histogram
	var sum time.Duration
	for i := range 100 {
		d := time.Duration(i*i) * 100 * time.Microsecond
		times.Add(d)
		sum += d
	}
	now := time.Now()
	var rows []store.Latency
	for _, at := range []time.Time{now, now.Add(-30 * time.Hour), now.Add(-10 * 24 * time.Hour)} { // the last is too old
		for _, g := range []store.Granularity{store.Minute, store.Hour, store.Day} {
			for _, eventType := range []string{slow, store.AllTypes} {
				rows = append(rows, store.Latency{
					Granularity: g, EventType: eventType, Bucket: g.Bucket(at), Writer: quotekit.NewID(), Samples: times.Count, Sum: sum, Max: times.Max,
					Total: times.String(), Handle: "0 0", Wait: "0 0", Commit: "0 0",
				})
			}
		}
	}
	if err := s.WriteFigures(t.Context(), rows, nil); err != nil {
		t.Fatal(err)
	}
	mustFold(t, s)
	for _, stage := range []string{
		`'evt_theirs_1', 'their.type', 'handler', 'failed', 300`, `'evt_theirs_1', 'their.type', 'completed', 'succeeded', 100`,
		`'evt_theirs_2', 'their.type', 'handler', 'failed', 200`, `'evt_1', '` + slow + `', 'completed', 'failed', 9999`,
	} {
		mustExec(t, s, `SELECT record_webhook_stage(`+stage+`)`)
	}
	all, err := s.Reader().QueryContext(t.Context(), `SELECT * FROM get_webhook_performance_summary()`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Close() }()
	type summary struct {
		Type                string
		Avg, P95            *float64
		Total, Done, Failed int64
		Success, Error      *float64
		Baseline, Target    *int64
		Improvement         *float64
	}
	var got []string
	for all.Next() {
		var v summary
		if err := all.Scan(&v.Type, &v.Avg, &v.P95, &v.Total, &v.Done, &v.Failed, &v.Success, &v.Error, &v.Baseline, &v.Target, &v.Improvement); err != nil {
			t.Fatal(err)
		}
		if v.Type == slow {
			mean, p95 := float64(sum.Microseconds())/100_000, float64(times.Quantiles(0.95)[0].Microseconds())/1000
			if math.Abs(*v.Avg-mean) > 0.01 || math.Abs(*v.P95-p95) > 0.01*p95 || math.Abs(*v.Improvement-100*(500-mean)/500) > 0.01 {
				t.Errorf("got the times %g, %g, %g, want %g, %g", *v.Avg, *v.P95, *v.Improvement, mean, p95)
			}
			v.Avg, v.P95, v.Improvement = nil, nil, nil
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"Type":"customer.subscription.created","Avg":null,"P95":null,"Total":4,"Done":3,"Failed":1,"Success":0.75,"Error":0.25,"Baseline":500,"Target":200,"Improvement":null}`,
		`{"Type":"their.type","Avg":250,"P95":300,"Total":2,"Done":1,"Failed":1,"Success":0.5,"Error":0.5,"Baseline":null,"Target":null,"Improvement":null}`,
		`{"Type":"a.waits","Avg":null,"P95":null,"Total":1,"Done":0,"Failed":0,"Success":null,"Error":null,"Baseline":null,"Target":null,"Improvement":null}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, bad := range []string{"0", "401", "NULL"} {
		if _, err := s.Reader().ExecContext(t.Context(), fmt.Sprintf(`SELECT get_webhook_performance_summary(%s)`, bad)); err == nil || !strings.Contains(err.Error(), "22023") {
			t.Errorf("%s days: got %v", bad, err)
		}
	}
}

// TestFunctions_SendToDeadLetterQueue_AsTheServiceDoes: the groups, their state and the
// audit trail are as if the service had buried the same events.
func TestFunctions_SendToDeadLetterQueue_AsTheServiceDoes(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	mustReceive(t, s, "a.b", quotekit.EventPending, "evt_pending")
	long := strings.Repeat("ü", 200)
	bury := func(eventType, reason string, ids ...string) {
		var letters []store.DeadLetter
		for _, id := range ids {
			letters = append(letters, store.DeadLetter{EventID: id, EventType: eventType, Data: "{}", Reason: quotekit.FailureReason(reason)})
		}
		mustTx(t, s, func(tx *store.Tx) error { return tx.Bury(t.Context(), letters) })
	}
	send := func(eventType, reason, id string) {
		t.Helper()
		mustExec(t, s, `SELECT send_to_dead_letter_queue($1, $2, '{"id": "x"}', $3, p_error_message => 'it broke')`, id, eventType, reason)
	}
	const groups = `SELECT concat_ws(' ', id, group_key, event_type, failure_reason, error_class, state, resolved_at IS NOT NULL)
		FROM webhook_error_groups ORDER BY id`
	// Two types and reasons, of which one is longer than what a group has of it.
	for _, of := range [][2]string{{"a.b", "THEIR_REASON"}, {long, "x|" + long}, {"a.b|c", "'; \\"}} {
		bury(of[0], of[1], "evt_ours "+of[1])
		ours := lines(t, s, groups)
		mustExec(t, s, `DELETE FROM webhook_error_groups`)
		send(of[0], of[1], "evt_theirs "+of[1])
		if theirs := lines(t, s, groups); !slices.Equal(theirs, ours) || len(ours) != 1 {
			t.Errorf("the function has made the groups %q, the service %q", theirs, ours)
		}
		g, err := s.ErrorGroup(t.Context(), store.GroupID(of[0], of[1], ""))
		if err != nil || g.Letters != 2 || g.FirstFailedAt.IsZero() {
			t.Errorf("the group is %+v, %v, want two letters", g, err)
		}
		mustExec(t, s, `DELETE FROM webhook_error_groups`)
		mustExec(t, s, `DELETE FROM webhook_dead_letter_queue`)
	}

	// A letter that dies of something else leaves its group, which has no other.
	states := func() string {
		open, _, err := s.ErrorGroups(t.Context(), store.GroupFilter{}, "")
		if err != nil {
			t.Fatal(err)
		}
		resolved, err := s.ResolvedGroups(t.Context(), store.GroupFilter{})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, g := range slices.Concat(open, resolved) {
			all = append(all, fmt.Sprintf("%s %d %s %t", g.FailureReason, g.Letters, g.State, g.Regressed))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	send("a.b", "FIRST", "evt_pending")
	send("a.b", "FIRST", "evt_unknown")
	send("a.b", "SECOND", "evt_unknown")
	if got, want := states(), "FIRST 1 open false, SECOND 1 open false"; got != want {
		t.Errorf("after one has left: got %s, want %s", got, want)
	}
	send("a.b", "SECOND", "evt_pending")
	if got, want := states(), "FIRST 0 resolved false, SECOND 2 open false"; got != want {
		t.Errorf("after both have left: got %s, want %s", got, want)
	}
	send("a.b", "FIRST", "evt_other")
	if got, want := states(), "FIRST 1 open true, SECOND 2 open false"; got != want {
		t.Errorf("after another has come: got %s, want %s", got, want)
	}

	trail, _, err := s.AuditTrail(t.Context(), store.AuditFilter{Action: store.AuditSent}, store.Page{Limit: 5})
	if err != nil || len(trail) != 5 {
		t.Fatalf("got %d lines, %v", len(trail), err)
	}
	line := trail[4]
	if line.Actor != "send_to_dead_letter_queue" || *line.StripeEventID != "evt_pending" || *line.Target != quotekit.DeadLetterID("evt_pending") ||
		string(line.Before) != `{"status": "pending"}` || line.ChainSequence != nil {
		t.Errorf("the first line is %+v", line)
	}
	if got := string(line.After); got != `{"status": "dead", "failure_count": 1, "failure_reason": "FIRST"}` {
		t.Errorf("after = %s", got)
	}
	if last := trail[0]; *last.StripeEventID != "evt_other" || last.Before != nil && string(last.Before) != "null" {
		t.Errorf("the last line is %+v", last)
	}
	for i := 1; i < len(trail); i++ { // the ids are of the times, and in their order
		if !trail[i].At.Before(trail[i-1].At) || trail[i].ID >= trail[i-1].ID {
			t.Errorf("%s at %s comes before %s at %s", trail[i-1].ID, trail[i-1].At, trail[i].ID, trail[i].At)
		}
	}
	after := line.At.Add(time.Microsecond)
	of, _, err := s.AuditTrail(t.Context(), store.AuditFilter{Action: store.AuditSent, From: &line.At, To: &after}, store.Page{})
	if err != nil || len(of) != 1 || of[0].ID != line.ID {
		t.Errorf("in the microsecond of the first line: got %d lines, %v", len(of), err)
	}
	operators, _, err := s.AuditTrail(t.Context(), store.AuditFilter{OperatorsOnly: true}, store.Page{})
	if err != nil || len(operators) != 0 {
		t.Errorf("of operators: got %d lines, %v", len(operators), err)
	}
}
