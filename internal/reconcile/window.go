package reconcile

import (
	"context"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	// overlap is how far a run goes back behind the end of the one before: for
	// events that become visible in Stripe's list some time after they happened.
	overlap = time.Hour
	// soon is how long before Stripe forgets it is time to say so.
	soon = 3 * 24 * time.Hour
)

// reconcileArguments are what a reconcile was asked for.
type reconcileArguments struct {
	Since  time.Time `json:"since"`
	DryRun bool      `json:"dry_run,omitempty"`
	// Continues reports that there is no gap between the run before and this one:
	// once it is completed, the next one may begin where it ended.
	Continues bool     `json:"continues"`
	Types     []string `json:"types"`
}

// begin returns the instant at which the next run begins.
func (s *Service) begin(ctx context.Context) (time.Time, error) {
	var until time.Time
	err := s.eachRun(ctx, quotekit.TaskCompleted, func(_ reconcileArguments, r Report) bool {
		until = r.Until
		return false
	})
	if err != nil || !until.IsZero() {
		return until.Add(-overlap), err
	}
	// No run was ever completed. Those that were begun knew better when the first
	// gap began, since events have come in since then.
	var first time.Time
	err = s.eachRun(ctx, "", func(a reconcileArguments, _ Report) bool {
		first = a.Since
		return true
	})
	if err != nil || !first.IsZero() {
		return first, err
	}
	last, err := s.store.LastReceived(ctx, s.started)
	if last.IsZero() {
		last = s.started
	}
	return last.Add(-overlap), err
}

// eachRun calls f for the runs of a status (empty: any) that have no gap to the
// one before, the newest first, until it returns false.
func (s *Service) eachRun(ctx context.Context, status quotekit.TaskStatus, f func(reconcileArguments, Report) bool) error {
	var broken error
	err := s.store.EachTask(ctx, store.TaskFilter{Kind: KindReconcile, Status: string(status)}, func(t store.Task) bool {
		var a reconcileArguments
		var r Report
		if broken = readTask(t, &a, &r, nil); broken != nil {
			return false
		}
		return !a.Continues || f(a, r)
	})
	if err == nil {
		err = broken
	}
	return err
}

// StartReconcile starts a comparison with Stripe's list of events: from since,
// or, if that is zero, from where the last one ended. A dry run imports nothing.
// It fails with [quotekit.EConflict] while one is under way.
func (s *Service) StartReconcile(ctx context.Context, since time.Time, dryRun bool, act quotekit.Act) (taskID string, err error) {
	begin, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	if since.IsZero() {
		since = begin
	}
	a := reconcileArguments{Since: since.UTC().Truncate(time.Second), DryRun: dryRun, Types: s.Types}
	a.Continues = !dryRun && !a.Since.After(begin)
	return s.start(ctx, store.NewTask{Kind: KindReconcile, Arguments: mustEncode(a), Act: act})
}

// forgetsSoon warns when Stripe is about to forget events that may be missing
// here, or has forgotten them.
func (s *Service) forgetsSoon(begin time.Time) {
	if left := begin.Add(stripe.Memory).Sub(s.Now()); left < soon {
		s.Logger.Warn("Stripe forgets events after 30 days, and those since this instant have not been compared with its list",
			"since", begin.UTC().Format(time.RFC3339), "days_left", days(left))
	}
}

// days is a number of whole days; what is over has none left.
func days(d time.Duration) int { return max(int(d/(24*time.Hour)), 0) }
