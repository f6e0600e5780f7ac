package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// samples are figures by name and labels, as they are written, the labels sorted. A
// histogram has those of its count and its sum.
type samples map[string]float64

// mustParseMetrics reads the text format.
func mustParseMetrics(t testing.TB, text []byte) samples {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	all := samples{}
	for name, f := range families {
		if f.GetHelp() == "" || f.Type == nil {
			t.Errorf("%s has no help or no type", name)
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(labels)
			suffix := ""
			if labels != nil {
				suffix = "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.GetHistogram() != nil:
				all[name+"_count"+suffix] = float64(m.GetHistogram().GetSampleCount())
				all[name+"_sum"+suffix] = m.GetHistogram().GetSampleSum()
			case m.GetSummary() != nil:
				all[name+"_count"+suffix] = float64(m.GetSummary().GetSampleCount())
				all[name+"_sum"+suffix] = m.GetSummary().GetSampleSum()
			default:
				all[name+suffix] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
			}
		}
	}
	return all
}

// scrape reads the metrics of a service, as Prometheus does.
func (s *service) scrape() samples {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL()+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, text := s.do(req, nil)
	if media := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(media, "text/plain; version=0.0.4") {
		s.t.Fatalf("/metrics is answered %d %s %s", resp.StatusCode, media, text)
	}
	return mustParseMetrics(s.t, text)
}

// mustInsert writes rows past the service.
func (s *service) mustInsert(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.Store().Writer().ExecContext(s.t.Context(), statement, args...); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// TestMetrics_AgreeWithTheOverview: what Prometheus and operators are told is the same.
func TestMetrics_AgreeWithTheOverview(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return errors.New("not now") }}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle)})
		got := s.scrape()
		if _, ok := got["quotekit_last_event_received_timestamp_seconds"]; ok || got["quotekit_database_up"] != 1 {
			t.Errorf("before the first event: got %v", got)
		}
		event := func(id, eventType, object string) []byte {
			return []byte(`{"id":"` + id + `","object":"event","type":"` + eventType + `","created":1775000000,"data":{"object":` + object + `}}`)
		}
		s.post(event("evt_1", "customer.created", `{"id":"cus_1","object":"customer"}`))
		s.post(event("evt_2", "customer.created", `{"id":"cus_2","object":"customer"}`))
		s.post(event("evt_3", "customer.created", `{}`)) // rejected
		s.post(event("evt_4", "charge.updated", `{"id":"ch_1","object":"charge"}`))
		s.post(product("evt_5", "prod_5")) // attempted again for 20 s
		now := time.Now().UTC().Truncate(time.Millisecond)
		s.mustInsert(`INSERT INTO batch_jobs (id, user_id, operation_type, total_items, status, request_id, created_at) VALUES ($1, $2, 'delete_quotes', 1, 'pending', 'req_1', $3)`,
			quotekit.NewID(), quotekit.NewID(), now)
		for _, at := range []time.Time{now.Add(-time.Hour), now} {
			s.mustInsert(`INSERT INTO webhook_tasks (id, kind, status, arguments, actor, created_at, completed_at) VALUES ($1, 'reconcile', 'completed', '{}', 'quotekit', $2, $2)`,
				quotekit.NewID(), at)
		}

		const last = "quotekit_last_event_received_timestamp_seconds"
		var said string
		agree := func() bool {
			got := s.scrape()
			_, o := s.call(http.MethodGet, "/v1/monitor/overview?days_back=1", "")
			counts := o["counts"].(map[string]any)
			at, _ := time.Parse(time.RFC3339, fmt.Sprint(o["last_event_at"]))
			waiting := 0.0
			for lane := range quotekit.Lanes {
				waiting += got[fmt.Sprintf(`quotekit_lane_pending_events{lane="%d"}`, lane+1)]
			}
			want := samples{}
			for _, status := range quotekit.EventStatus("").Enum() {
				want[fmt.Sprintf("quotekit_stored_events{status=%q}", status)] = counts[status].(float64)
			}
			want["quotekit_dead_letters"] = o["dead_letters"].(float64)
			want["quotekit_batch_jobs_running"] = o["running_batch_jobs"].(float64)
			same := waiting == o["pending_events"].(float64) &&
				math.Abs(got["quotekit_oldest_unprocessed_seconds"]-o["oldest_unprocessed_seconds"].(float64)) < 3 &&
				got["quotekit_oldest_unprocessed_seconds"] == got[`quotekit_lane_oldest_pending_seconds{lane="4"}`] &&
				math.Abs(got[last]-float64(at.UnixMicro())/1e6) < 0.001
			for name, value := range want {
				same = same && got[name] == value
			}
			said = fmt.Sprintf("metrics say %v,\noverview says %v", got, o)
			// That of which both tell must have arrived.
			return same && o["pending_events"] == 1.0 && o["dead_letters"] == 1.0 && o["running_batch_jobs"] == 1.0 &&
				counts["succeeded"] == 2.0 && counts["ignored"] == 1.0 &&
				got[`quotekit_lane_pending_events{lane="4"}`] == 1 && got[`quotekit_lane_oldest_pending_seconds{lane="4"}`] > 0
		}
		if !comesTrue(15*time.Second, agree) {
			t.Fatal(said)
		}
		if at := s.scrape()["quotekit_last_reconcile_timestamp_seconds"]; at != float64(now.UnixMicro())/1e6 {
			t.Errorf("the last reconcile was at %f, want %s", at, now)
		}
		b.mended.Store(true)
	})
}

// TestMetrics_CountWhatHappens: in this process, once each.
func TestMetrics_CountWhatHappens(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(attempt int) error {
			if attempt < 3 {
				return errors.New("not now")
			}
			return nil
		}}
		s := mustStartBatch(t, url, app.Options{Routes: routesWith("product.created", b.handle), Version: "1.2.3"})
		event := func(id, eventType, object string) []byte {
			return []byte(`{"id":"` + id + `","object":"event","type":"` + eventType + `","created":1775000000,"data":{"object":` + object + `}}`)
		}
		for range 2 {
			s.post(event("evt_1", "customer.subscription.created", `{"id":"sub_1","object":"subscription","customer":"cus_1","status":"active"}`))
			s.post(event("evt_2", "charge.updated", `{"id":"ch_1","object":"charge"}`))
		}
		s.post(event("evt_3", "customer.created", `{}`))
		s.post(event("evt_4", "made.up", `{"id":"x_1","object":"x"}`))
		s.post(product("evt_5", "prod_5"))
		if got := s.statusOf(http.MethodPost, "/webhooks/stripe", ""); got != 400 {
			t.Errorf("an unsigned delivery is answered %d", got)
		}
		u := s.user()
		quotes := s.quotes(u, 2, nil)
		u.run("update_quote_status", []string{quotes[0], quotekit.NewID(), quotes[1], quotes[1]}, status("sent"))
		u.end(u.job(u.do("POST", "/v1/batch-jobs", fmt.Sprintf(`{"operation":"delete_quotes","items":[%q],"dry_run":true}`, quotes[0]))))

		want := samples{
			`quotekit_events_total{event_type="customer.subscription.created",outcome="succeeded"}`:           1,
			`quotekit_events_total{event_type="other",outcome="ignored"}`:                                     2,
			`quotekit_events_total{event_type="customer.created",outcome="dead"}`:                             1,
			`quotekit_events_total{event_type="product.created",outcome="failed"}`:                            2,
			`quotekit_events_total{event_type="product.created",outcome="succeeded"}`:                         1,
			`quotekit_events_total{event_type="product.created",outcome="kept"}`:                              0,
			`quotekit_event_retries_total{lane="4"}`:                                                          2,
			`quotekit_event_retries_total{lane="1"}`:                                                          0,
			`quotekit_deliveries_total{source="stripe"}`:                                                      7,
			`quotekit_deliveries_total{source="import"}`:                                                      0,
			`quotekit_deliveries_duplicate_total{source="stripe"}`:                                            2,
			`quotekit_deliveries_refused_total{code="signature_missing"}`:                                     1,
			`quotekit_deliveries_refused_total{code="other"}`:                                                 0,
			`quotekit_dead_letters_buried_total{reason="HANDLER_REJECTED"}`:                                   1,
			`quotekit_dead_letters_buried_total{reason="TIMEOUT_EXCEEDED"}`:                                   0,
			`quotekit_event_duration_seconds_count{lane="1"}`:                                                 1,
			`quotekit_event_duration_seconds_count{lane="4"}`:                                                 1,
			`quotekit_event_duration_seconds_count{lane="5"}`:                                                 2,
			`quotekit_event_stage_duration_seconds_count{stage="handle"}`:                                     4,
			`quotekit_event_stage_duration_seconds_count{stage="commit"}`:                                     4,
			`quotekit_event_stage_duration_seconds_count{stage="wait"}`:                                       3, // a retry waits for nobody
			`quotekit_group_size_sum{kind="deliveries"}`:                                                      7,
			`quotekit_group_size_sum{kind="attempts"}`:                                                        2,
			`quotekit_batch_items_total{dry_run="false",operation="update_quote_status",outcome="succeeded"}`: 2,
			`quotekit_batch_items_total{dry_run="false",operation="update_quote_status",outcome="failed"}`:    1,
			`quotekit_batch_items_total{dry_run="false",operation="update_quote_status",outcome="skipped"}`:   1,
			`quotekit_batch_items_total{dry_run="true",operation="delete_quotes",outcome="succeeded"}`:        1,
			`quotekit_batch_items_total{dry_run="false",operation="delete_quotes",outcome="succeeded"}`:       0,
			`quotekit_requests_in_flight{kind="metrics"}`:                                                     1,
			`quotekit_requests_in_flight{kind="webhook"}`:                                                     0,
			`quotekit_requests_in_flight_limit{kind="webhook"}`:                                               1200,
			`quotekit_deliveries_waiting`:                                                                     0,
		}
		var got samples
		wrong := func() (list []string) {
			got = s.scrape()
			for name, value := range want {
				if have, ok := got[name]; !ok || have != value {
					list = append(list, fmt.Sprintf("%s = %v, want %v", name, have, value))
				}
			}
			return list
		}
		if !comesTrue(30*time.Second, func() bool { return len(wrong()) == 0 }) {
			t.Error(strings.Join(wrong(), "\n"))
		}
		pool := "writer"
		if s.Store().Postgres() {
			pool = "postgres"
		}
		if got[fmt.Sprintf(`quotekit_database_connections_limit{pool=%q}`, pool)] < 1 {
			t.Errorf("the pool %s has no limit", pool)
		}
		_, wal := got["quotekit_sqlite_wal_bytes"]
		if sqlite := !s.Store().Postgres(); wal != sqlite || (got["quotekit_disk_free_bytes"] > 0) != sqlite || (got["quotekit_sqlite_database_bytes"] > 0) != sqlite {
			t.Errorf("figures of SQLite: got %v", got)
		}
		info := false
		for name := range got {
			info = info || strings.HasPrefix(name, "quotekit_build_info{") && strings.Contains(name, `version="1.2.3"`)
			if !strings.HasPrefix(name, "quotekit_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
				t.Errorf("the name %s is strange", name)
			}
		}
		if !info {
			t.Error("quotekit_build_info has not the version")
		}
	})
}

// TestMetrics_LabelsAreKnownFromTheStart: what happens later adds no series.
func TestMetrics_LabelsAreKnownFromTheStart(t *testing.T) {
	s := mustStartBatch(t, storetest.SQLiteURL(t, tables), app.Options{})
	names := func() []string {
		list := slices.Sorted(maps.Keys(s.scrape()))
		return slices.DeleteFunc(list, func(name string) bool {
			return strings.HasPrefix(name, "quotekit_last_") || !strings.HasPrefix(name, "quotekit_")
		})
	}
	before := names()
	for name, payload := range fixtures(t) {
		if a := s.post(payload); a.HTTP != 200 {
			t.Errorf("%s is answered %+v", name, a)
		}
	}
	for i := range 50 {
		s.post(fmt.Appendf(nil, `{"id":"evt_%d","object":"event","type":"strange_%d","created":1775000000,"data":{"object":{"id":"x_%d"}}}`, i, i, i))
	}
	u := s.user()
	j := u.run("update_quote_status", s.quotes(u, 3, nil), status("sent"))
	u.act(j.ID, "undo")
	if after := names(); !slices.Equal(after, before) {
		t.Errorf("there are other series than before:\n%s", diff(after, before))
	}
	if len(before) > 500 {
		t.Errorf("there are %d series", len(before))
	}
	for _, r := range slices.Concat(handlers.Routes(), handlers.Fetched()) {
		if !slices.Contains(before, fmt.Sprintf(`quotekit_events_total{event_type=%q,outcome="succeeded"}`, r.Type)) {
			t.Errorf("%s has no series", r.Type)
		}
	}
}

// TestMetrics_WhoMayRead: on this machine everybody, else admins.
func TestMetrics_WhoMayRead(t *testing.T) {
	const openAddr, localAddr = "0.0.0.0:0", "127.0.0.1:0"
	admin, viewer := "Bearer "+mustMint(t, jwtSecret, rest.RoleAdmin), "Bearer "+mustMint(t, jwtSecret, rest.RoleViewer)
	tests := []struct {
		name, addr, host string
		header           map[string]string
		want             int
	}{
		{"on this machine", localAddr, "127.0.0.1:8787", nil, 200},
		{"by name", localAddr, "localhost:8787", nil, 200},
		{"by name without port", localAddr, "localhost", nil, 200},
		{"through a proxy", localAddr, "127.0.0.1:8787", map[string]string{"X-Forwarded-For": "192.0.2.1"}, 401},
		{"through another proxy", localAddr, "127.0.0.1:8787", map[string]string{"Forwarded": "for=192.0.2.1"}, 401},
		{"through a proxy, an admin", localAddr, "127.0.0.1:8787", map[string]string{"X-Forwarded-For": "192.0.2.1", "Authorization": admin}, 200},
		{"a page that calls itself so", localAddr, "evil.example:8787", nil, 401},
		{"from elsewhere", openAddr, "192.0.2.7:8787", nil, 401},
		{"from elsewhere, with the name of here", openAddr, "127.0.0.1:8787", nil, 401},
		{"a wrong token", openAddr, "192.0.2.7:8787", map[string]string{"Authorization": "Bearer x"}, 401},
		{"a viewer", openAddr, "192.0.2.7:8787", map[string]string{"Authorization": viewer}, 403},
		{"an admin", openAddr, "192.0.2.7:8787", map[string]string{"Authorization": admin}, 200},
		{"a token", openAddr, "192.0.2.7:8787", map[string]string{"Authorization": "Bearer " + token}, 200},
	}
	for _, tt := range tests {
		c := batchConfig(storetest.SQLiteURL(t, tables))
		c.Addr = tt.addr
		a, err := app.New(context.Background(), c, app.Options{})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodGet, "http://"+tt.host+"/metrics", nil)
		for name, value := range tt.header {
			req.Header.Set(name, value)
		}
		rec := httptest.NewRecorder()
		a.Handler().ServeHTTP(rec, req)
		if rec.Code != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, rec.Code, tt.want)
		}
		checkExchange(t, req, nil, rec.Result(), rec.Body.Bytes())
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMetrics_OfEveryRole: a process that only works jobs can be scraped, too.
func TestMetrics_OfEveryRole(t *testing.T) {
	for _, role := range []app.Role{app.RoleAll, app.RoleWeb, app.RoleWorker} {
		s := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{Role: role})
		found := false
		for name := range s.scrape() {
			found = found || strings.HasPrefix(name, "quotekit_build_info{") && strings.Contains(name, fmt.Sprintf("role=%q", role))
		}
		if !found {
			t.Errorf("a process of the role %s does not say so", role)
		}
		s.stop()
	}
}

// TestMetrics_WithoutTheDatabase: what is read from the tables is left out, and the
// rest is told.
func TestMetrics_WithoutTheDatabase(t *testing.T) {
	p, behind := mustProxy(t, storetest.PostgresURL(t, tables))
	p.refuse()
	s := mustBegin(t, plainConfig(behind), app.Options{})
	away := func() bool {
		got := s.scrape()
		_, events := got[`quotekit_stored_events{status="dead"}`]
		_, counted := got[`quotekit_deliveries_total{source="stripe"}`]
		return got["quotekit_database_up"] == 0 && !events && counted
	}
	back := func() bool {
		got := s.scrape()
		_, events := got[`quotekit_stored_events{status="dead"}`]
		return got["quotekit_database_up"] == 1 && events
	}
	if !away() {
		t.Errorf("at the start without a database: got %v", s.scrape())
	}
	p.admit()
	eventually(t, 60*time.Second, "the tables can be read", back)
	p.stall()
	began := time.Now()
	eventually(t, 30*time.Second, "the tables cannot be read", away)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s to tell", took)
	}
	p.flow()
	eventually(t, 60*time.Second, "the tables can be read again", back)
}
