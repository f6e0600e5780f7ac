package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quotekit/quotekit"
)

// Decision is what became of an event.
type Decision int

// The decisions.
const (
	Succeeded Decision = iota // its effects are in the tables
	Ignored                   // there is nothing to do
	Failed                    // it is attempted again later
	Kept                      // it was acknowledged without an attempt, which follows
	Dead                      // it is in the dead letter queue

	decisions int = iota
)

// String is the value of the label outcome.
func (d Decision) String() string {
	return [...]string{"succeeded", "ignored", "failed", "kept", "dead"}[d]
}

// refusalCodes are the codes of the answers to deliveries that were not kept.
var refusalCodes = []string{
	"signature_missing", "signature_malformed", "signature_expired", "signature_mismatch",
	"body_invalid", "body_too_large", "method_not_allowed", "unsupported_media_type",
	string(quotekit.EUnavailable), string(quotekit.EInternal), Other,
}

// stages are those of an event's way; see the page performance.
var stages = []string{"fetch", "handle", "wait", "commit"}

var (
	// seconds are the bounds of times: from a commit on a fast disk to a route that
	// takes all it may.
	seconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15}
	// sizes are those of groups, to the largest.
	sizes = []float64{1, 2, 4, 8, 16, 32, 64, 128}
)

// Webhook is what is counted of events. A nil Webhook counts nothing.
type Webhook struct {
	types map[string]*eventType
	other *eventType // for those that have no route

	deliveries, duplicates [2]prometheus.Counter // from Stripe, imported
	refused                map[string]prometheus.Counter
	buried                 map[quotekit.FailureReason]prometheus.Counter
	retries                [quotekit.Lanes]prometheus.Counter
	total                  [quotekit.Lanes]prometheus.Observer
	stages                 map[string]prometheus.Observer
	groups, attemptGroups  prometheus.Observer

	all []prometheus.Collector
}

// eventType is what is counted of the events of a type.
type eventType struct {
	lane    int // its index
	decided [decisions]prometheus.Counter
}

func newWebhook(routes []quotekit.Route) *Webhook {
	w := &Webhook{
		types: map[string]*eventType{}, refused: map[string]prometheus.Counter{},
		buried: map[quotekit.FailureReason]prometheus.Counter{}, stages: map[string]prometheus.Observer{},
	}
	events := w.counter("events_total", "Decisions about events: succeeded, ignored, dead, failed (attempted again later), kept (acknowledged without an attempt yet). Types without a route are other.", "event_type", "outcome")
	newType := func(name string, lane int) *eventType {
		t := &eventType{lane: lane - 1}
		for d := range t.decided {
			t.decided[d] = events.WithLabelValues(name, Decision(d).String())
		}
		return t
	}
	for _, r := range routes {
		w.types[r.Type] = newType(r.Type, r.Priority)
	}
	w.other = newType(Other, quotekit.Lanes)

	deliveries := w.counter("deliveries_total", "Deliveries that were acknowledged, duplicates too, by who brought them: stripe, or import for those found missing or fetched.", "source")
	duplicates := w.counter("deliveries_duplicate_total", "Deliveries that were acknowledged of events that had been delivered before.", "source")
	for i, source := range []string{"stripe", "import"} {
		w.deliveries[i], w.duplicates[i] = deliveries.WithLabelValues(source), duplicates.WithLabelValues(source)
	}
	refused := w.counter("deliveries_refused_total", "Requests to the webhook that were refused, by the code of the answer.", "code")
	for _, code := range refusalCodes {
		w.refused[code] = refused.WithLabelValues(code)
	}
	buried := w.counter("dead_letters_buried_total", "Events that went to the dead letter queue, by reason; again each time.", "reason")
	for _, reason := range quotekit.FailureReason("").Enum() {
		w.buried[quotekit.FailureReason(reason)] = buried.WithLabelValues(reason)
	}
	retries := w.counter("event_retries_total", "Attempts at events that had failed before, by lane.", "lane")
	total := w.histogram("event_duration_seconds", "Time of the attempt that completed an event, of a first one from its arrival to the commit of its effects, by lane.", seconds, "lane")
	for i := range w.total {
		lane := strconv.Itoa(i + 1)
		w.retries[i], w.total[i] = retries.WithLabelValues(lane), total.WithLabelValues(lane)
	}
	stage := w.histogram("event_stage_duration_seconds", "Times of the stages of the attempts that completed events: fetch (asking Stripe), handle, wait (for the group before), commit.", seconds, "stage")
	for _, name := range stages {
		w.stages[name] = stage.WithLabelValues(name)
	}
	groups := w.histogram("group_size", "How many deliveries, or attempts of workers, shared a transaction.", sizes, "kind")
	w.groups, w.attemptGroups = groups.WithLabelValues("deliveries"), groups.WithLabelValues("attempts")
	return w
}

func (w *Webhook) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	w.all = append(w.all, v)
	return v
}

func (w *Webhook) histogram(name, help string, bounds []float64, label string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: bounds}, []string{label})
	w.all = append(w.all, v)
	return v
}

func (w *Webhook) collectors() []prometheus.Collector { return w.all }

func (w *Webhook) of(name string) *eventType {
	if t := w.types[name]; t != nil {
		return t
	}
	return w.other
}

// Delivered counts a delivery that is acknowledged.
func (w *Webhook) Delivered(imported, duplicate bool) {
	if w == nil {
		return
	}
	source := 0
	if imported {
		source = 1
	}
	w.deliveries[source].Inc()
	if duplicate {
		w.duplicates[source].Inc()
	}
}

// Refused counts a request that was refused.
func (w *Webhook) Refused(code quotekit.ErrorCode) {
	if w == nil {
		return
	}
	c := w.refused[string(code)]
	if c == nil {
		c = w.refused[Other]
	}
	c.Inc()
}

// Decided counts a decision about an event, once it is committed. The reason is that
// of an event which is dead.
func (w *Webhook) Decided(name string, d Decision, reason quotekit.FailureReason) {
	if w == nil {
		return
	}
	w.of(name).decided[d].Inc()
	if c := w.buried[reason]; d == Dead && c != nil {
		c.Inc()
	}
}

// Retried counts an attempt at an event that had failed before.
func (w *Webhook) Retried(name string) {
	if w != nil {
		w.retries[w.of(name).lane].Inc()
	}
}

// Completed notes how long an event took that has come to its end, and the
// microseconds of its stages.
func (w *Webhook) Completed(name string, took time.Duration, stages map[string]int64) {
	if w == nil {
		return
	}
	w.total[w.of(name).lane].Observe(took.Seconds())
	for stage, us := range stages {
		if h := w.stages[stage]; h != nil {
			h.Observe(float64(us) / 1e6)
		}
	}
}

// Grouped notes how many deliveries, or attempts of workers, share a transaction.
func (w *Webhook) Grouped(deliveries int) {
	if w != nil {
		w.groups.Observe(float64(deliveries))
	}
}

// GroupedAttempts is [Webhook.Grouped] for the attempts of workers.
func (w *Webhook) GroupedAttempts(attempts int) {
	if w != nil {
		w.attemptGroups.Observe(float64(attempts))
	}
}
