package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// mostLetters is how far dead letters are counted.
	mostLetters = 10_000
	// versionSample is how many of the events since the last evaluation are looked at
	// for their API version, and versionOverlap how long an event may take from its
	// arrival to its commit.
	versionSample  = 500
	versionOverlap = time.Minute
	// mostBatches bounds the batch jobs whose progress is remembered.
	mostBatches = 200
	// mostReports bounds the reports of a day that are read.
	mostReports = 500
	// cleanEvery is how often old alerts are deleted, and keepFor how long they are kept.
	cleanEvery = time.Hour
	keepFor    = 90 * 24 * time.Hour
)

// memory is what an evaluation leaves to the next one.
type memory struct {
	// Batches is how the unfinished batch jobs stood.
	Batches map[string]batchSeen `json:"batches,omitempty"`
	// Versions are the API versions that were seen, the last first.
	Versions []VersionSeen `json:"versions,omitempty"`
	// CleanedAt is when old alerts were deleted.
	CleanedAt time.Time `json:"cleaned_at"`
}

// batchSeen is a revision of a batch job, and when it was seen first.
type batchSeen struct {
	Revision int64     `json:"revision"`
	At       time.Time `json:"at"`
}

// measure looks at everything that the rules need, and says what to remember.
func (s *Service) measure(ctx context.Context, now time.Time, last store.AlertEvaluation) (*Measures, memory, error) {
	var mem memory
	if last.Memory != nil {
		if err := json.Unmarshal(last.Memory, &mem); err != nil {
			s.Logger.Warn("the memory of the last evaluation of alerts cannot be read and is forgotten", "error", err)
			mem = memory{}
		}
	}
	m := &Measures{Now: now, Expected: s.ExpectedVersion}
	for _, step := range []func() error{
		func() error { return s.measureEvents(ctx, m) },
		func() error { return s.measureTypes(ctx, m) },
		func() error { return s.measureSilence(ctx, m) },
		func() error { return s.measureVersions(ctx, m, &mem, last.EvaluatedAt) },
		func() error { return s.measureBatches(ctx, m, &mem) },
		func() error { return s.measureMissed(ctx, m) },
		func() error { return s.measureMachine(m) },
	} {
		if err := step(); err != nil {
			return nil, mem, err
		}
	}
	return m, mem, nil
}

func (s *Service) measureEvents(ctx context.Context, m *Measures) error {
	letters, err := s.store.UnresolvedDeadLetters(ctx, mostLetters+1)
	if err != nil {
		return err
	}
	m.DeadLetters, m.AtLeast = min(letters, mostLetters), letters > mostLetters
	oldest, err := s.store.OldestUnprocessed(ctx)
	if err != nil {
		return err
	}
	if oldest != nil {
		m.Oldest = &PendingEvent{clip(oldest.ID), clip(oldest.EventType), oldest.ReceivedAt}
	}
	from, to := minutes(m.Now, refusalWindow)
	refused, err := s.store.Refusals(ctx, from, to)
	for code, n := range refused {
		if strings.HasPrefix(code, "signature_") {
			m.SignatureFailures += n
		}
	}
	return err
}

// minutes is a length of time until now in whole minutes, and what is begun of them.
func minutes(now time.Time, length time.Duration) (from, to time.Time) {
	return store.Minute.Bucket(now.Add(-length)), store.Minute.Bucket(now).Add(time.Minute)
}

func (s *Service) measureTypes(ctx context.Context, m *Measures) error {
	from, to := minutes(m.Now, window)
	decided, err := s.store.DecidedSince(ctx, from)
	if err != nil {
		return err
	}
	sums := map[string]*histogram.Histogram{}
	err = s.store.LatenciesByType(ctx, from, to, func(l store.Latency) error {
		if sums[l.EventType] == nil {
			sums[l.EventType] = new(histogram.Histogram)
		}
		return sums[l.EventType].MergeText(l.Total)
	})
	if err != nil {
		return err
	}
	benchmarks, err := s.store.Benchmarks(ctx)
	if err != nil {
		return err
	}
	targets := map[string]int64{}
	for _, b := range benchmarks {
		if b.TargetMS != nil {
			targets[b.EventType] = *b.TargetMS
		}
	}
	types := map[string]*TypeMeasures{}
	at := func(name string) *TypeMeasures {
		if types[name] == nil {
			types[name] = &TypeMeasures{EventType: name, TargetMS: float64(targets[name])}
		}
		return types[name]
	}
	for _, d := range decided {
		t := at(d.EventType)
		t.Decided, t.Dead = d.Decided, d.Dead
	}
	for name, h := range sums {
		t := at(name)
		t.Samples = h.Count
		t.P95MS = float64(h.Quantiles(0.95)[0]) / float64(time.Millisecond)
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		m.Types = append(m.Types, *types[name])
	}
	return nil
}

// measureSilence reads the hours of former days only when there is a silence.
func (s *Service) measureSilence(ctx context.Context, m *Measures) error {
	counts, err := s.store.EverCounts(ctx)
	if err != nil {
		return err
	}
	for _, c := range counts {
		ours := c.EventType == store.AllTypes || strings.HasPrefix(c.EventType, "quotekit.") // what was fetched
		if !ours && c.LastAt.After(m.LastEvent) {
			m.LastEvent = c.LastAt
		}
	}
	if m.LastEvent.IsZero() {
		return nil
	}
	rule := s.limits["no_events"]
	if _, _, silent := rule.judge(m.Now.Sub(m.LastEvent).Seconds(), false); rule.Off || !silent {
		return nil
	}
	m.Hours, err = s.store.BusyHours(ctx, m.Now.Add(-8*24*time.Hour))
	return err
}

// measureVersions looks at the events since the last evaluation, and remembers what
// it has seen for a day.
func (s *Service) measureVersions(ctx context.Context, m *Measures, mem *memory, last time.Time) error {
	since := m.Now.Add(-remembered)
	if at := last.Add(-versionOverlap); at.After(since) {
		since = at
	}
	seen, err := s.store.NewestVersions(ctx, since, versionSample)
	if err != nil {
		return err
	}
	at := map[string]time.Time{}
	for _, v := range mem.Versions {
		at[v.Version] = v.At
	}
	for _, v := range seen {
		if v.At.After(at[v.Version]) {
			at[v.Version] = v.At
		}
	}
	mem.Versions = nil
	for version, last := range at {
		if m.Now.Sub(last) < remembered {
			mem.Versions = append(mem.Versions, VersionSeen{version, last})
		}
	}
	slices.SortFunc(mem.Versions, func(a, b VersionSeen) int { return b.At.Compare(a.At) })
	m.Versions = mem.Versions
	return nil
}

// measureBatches compares the jobs with what they were. A job that waits for its turn
// stands still only if none of the others makes progress.
func (s *Service) measureBatches(ctx context.Context, m *Measures, mem *memory) error {
	jobs, err := s.store.BatchProgress(ctx, mostBatches)
	if err != nil {
		return err
	}
	seen := map[string]batchSeen{}
	var lastProgress time.Time
	for _, j := range jobs {
		b, known := mem.Batches[j.ID]
		if !known || b.Revision != j.Revision {
			b = batchSeen{j.Revision, m.Now}
			if !known && j.Status == quotekit.BatchPending {
				b.At = j.CreatedAt
			}
		}
		seen[j.ID] = b
		if j.Status == quotekit.BatchProcessing && b.At.After(lastProgress) {
			lastProgress = b.At
		}
	}
	mem.Batches = seen
	for _, j := range jobs {
		still := seen[j.ID].At
		if j.Status == quotekit.BatchPending && lastProgress.After(still) {
			still = lastProgress
		}
		m.Batches = append(m.Batches, BatchProgress{j.ID, j.Operation, still})
	}
	return nil
}

// reconcileReport is what we read of the report of a reconcile.
type reconcileReport struct {
	DryRun       bool       `json:"dry_run"`
	Missed       int        `json:"missed"`
	OldestMissed *time.Time `json:"oldest_missed"`
}

// measureMissed adds up what reconciles have found. What a dry run has found waits
// until a later run imports it.
func (s *Service) measureMissed(ctx context.Context, m *Measures) error {
	reports, err := s.store.TaskReports(ctx, "reconcile", m.Now.Add(-remembered), mostReports)
	if err != nil {
		return err
	}
	var missed Missed
	imported := false
	for _, text := range reports { // the newest first
		var r reconcileReport
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("read the report of a reconcile: %w", err)
		}
		imported = imported || !r.DryRun
		if r.Missed == 0 || r.DryRun && (imported || missed.Waiting > 0) {
			continue
		}
		if r.DryRun {
			missed.Waiting = r.Missed
		} else {
			missed.Events += r.Missed
		}
		if at := r.OldestMissed; at != nil && (missed.Oldest.IsZero() || at.Before(missed.Oldest)) {
			missed.Oldest = *at
		}
	}
	if missed.Events+missed.Waiting > 0 {
		m.Missed = &missed
	}
	return nil
}

func (s *Service) measureMachine(m *Measures) error {
	free, total, ok, err := s.store.DiskSpace()
	if err != nil {
		return err
	}
	if ok {
		m.Disk = &Disk{free, total}
	}
	if s.Clocks != nil {
		m.Clocks = s.Clocks()
	}
	return nil
}
