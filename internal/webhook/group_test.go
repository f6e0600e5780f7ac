package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quotekit/quotekit"
)

// waiting is a delivery that has been handled.
func waiting(id string, priority int) *delivery {
	return &delivery{
		event: quotekit.Event{ID: id}, route: &quotekit.Route{Priority: priority},
		decision: decision{status: quotekit.EventSucceeded}, done: make(chan answer, 1),
	}
}

func mustSubmit(t *testing.T, g *Group, deliveries ...*delivery) {
	t.Helper()
	for _, d := range deliveries {
		if err := g.submit(d); err != nil {
			t.Fatal(err)
		}
	}
}

// ids lists the events of a group.
func ids(batch []*delivery) string {
	var list []string
	for _, d := range batch {
		list = append(list, d.event.ID)
	}
	return strings.Join(list, " ")
}

func TestGroup_TheMostUrgentGoFirstAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var groups []string
		hold := make(chan struct{})
		g := newGroup(1000, keepAfter, time.Now, func(_ context.Context, batch []*delivery) {
			groups = append(groups, ids(batch))
			<-hold
		})
		g.start(context.Background(), 1)
		mustSubmit(t, g, waiting("first", 5))
		synctest.Wait() // a lone delivery goes at once; the others gather behind it
		mustSubmit(t, g, waiting("p5", 5), waiting("p1a", 1), waiting("p3", 3), waiting("p1b", 1))
		mustSubmit(t, g, &delivery{event: quotekit.Event{ID: "no route"}})
		close(hold)
		g.stop()
		if got := strings.Join(groups, " | "); got != "first | p1a p1b p3 p5 no route" {
			t.Errorf("got groups %s", got)
		}
	})
}

func TestGroup_IsBoundedAndKeepsWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		hold := make(chan struct{})
		g := newGroup(maxGroup+10, keepAfter, time.Now, func(_ context.Context, batch []*delivery) {
			sizes = append(sizes, len(batch))
			<-hold
		})
		g.start(context.Background(), 1)
		mustSubmit(t, g, waiting("first", 1))
		synctest.Wait()
		for i := range maxGroup + 10 {
			mustSubmit(t, g, waiting(fmt.Sprint(i), 1+i%5))
		}
		if err := g.submit(waiting("too many", 1)); !errors.Is(err, errOverload) {
			t.Errorf("got %v, want an overload", err)
		}
		close(hold)
		g.stop()
		if got := fmt.Sprint(sizes); got != fmt.Sprintf("[1 %d 10]", maxGroup) {
			t.Errorf("got groups of %s", got)
		}
		if err := g.submit(waiting("late", 1)); !errors.Is(err, errStopped) {
			t.Errorf("got %v after the stop", err)
		}
	})
}

func TestGroup_SeveralCommittersLoseNothing(t *testing.T) {
	var (
		mu   sync.Mutex
		seen = map[string]int{}
	)
	g := newGroup(100_000, time.Hour, time.Now, func(_ context.Context, batch []*delivery) {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range batch {
			seen[d.event.ID]++
		}
	})
	g.start(context.Background(), 4)
	var senders sync.WaitGroup
	for s := range 8 {
		senders.Go(func() {
			for i := range 500 {
				if err := g.submit(waiting(fmt.Sprint(s, "-", i), 1+i%5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	g.stop()
	if len(seen) != 4000 {
		t.Errorf("got %d deliveries, want 4000", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was settled %d times", id, n)
		}
	}
}

// TestGroup_WhatIsNotUrgentIsKeptWhenItWaits holds a group longer than the first
// bound: the urgent ones behind it are settled, the others kept, however many
// urgent ones there are.
func TestGroup_WhatIsNotUrgentIsKeptWhenItWaits(t *testing.T) {
	for name, test := range map[string]struct {
		held time.Duration
		want string
	}{
		"within the bound": {keepAfter, "1 settled, 2 settled, 3 settled, 4 settled, 5 settled, failed settled, no route settled"},
		"past the bound":   {keepAfter + 1, "1 settled, 2 settled, 3 kept, 4 kept, 5 kept, failed settled, no route settled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hold := make(chan struct{})
				var became []string
				g := newGroup(1000, keepAfter, time.Now, func(_ context.Context, batch []*delivery) {
					for _, d := range batch {
						if d.decision.kept {
							became = append(became, d.event.ID+" kept")
						} else {
							became = append(became, d.event.ID+" settled")
						}
					}
					<-hold
				})
				g.start(context.Background(), 1)
				mustSubmit(t, g, waiting("first", 5))
				synctest.Wait()
				became = nil
				failed := waiting("failed", 5)
				failed.decision = fail(quotekit.ReasonPanic, "")
				ignored := &delivery{event: quotekit.Event{ID: "no route"}, decision: decision{status: quotekit.EventIgnored}}
				mustSubmit(t, g, waiting("5", 5), failed, ignored, waiting("4", 4), waiting("3", 3), waiting("2", 2), waiting("1", 1))
				time.Sleep(test.held)
				if got, want := g.behind(), test.held > keepAfter; got != want {
					t.Errorf("got behind %t, want %t", got, want)
				}
				close(hold)
				g.stop()
				if got := strings.Join(became, ", "); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			})
		})
	}
}

// TestGroup_UrgentOnesDoNotStarveTheOthers has more urgent deliveries waiting than
// a group takes.
func TestGroup_UrgentOnesDoNotStarveTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var groups []string
		g := newGroup(1000, keepAfter, time.Now, func(_ context.Context, batch []*delivery) {
			kept := 0
			for _, d := range batch {
				if d.decision.kept {
					kept++
				}
			}
			groups = append(groups, fmt.Sprintf("%d with %d kept", len(batch), kept))
			<-hold
		})
		g.start(context.Background(), 1)
		mustSubmit(t, g, waiting("first", 1))
		synctest.Wait()
		for i := range 2 * maxGroup {
			mustSubmit(t, g, waiting(fmt.Sprint("urgent ", i), 1+i%2))
		}
		mustSubmit(t, g, waiting("low", 5))
		time.Sleep(keepAfter + 1)
		close(hold)
		g.stop()
		if got := strings.Join(groups, ", "); got != "1 with 0 kept, 129 with 1 kept, 128 with 0 kept" {
			t.Errorf("got groups of %s", got)
		}
	})
}

// TestGroup_RefusesWhenNothingIsCommitted stands still longer than the second
// bound.
func TestGroup_RefusesWhenNothingIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		g := newGroup(1000, keepAfter, time.Now, func(context.Context, []*delivery) { <-hold })
		g.start(context.Background(), 1)
		mustSubmit(t, g, waiting("under way", 1))
		synctest.Wait()
		mustSubmit(t, g, waiting("waits", 1))
		time.Sleep(refuseAfter)
		mustSubmit(t, g, waiting("just in time", 1))
		time.Sleep(time.Nanosecond)
		if err := g.submit(waiting("too late", 1)); !errors.Is(err, errOverload) {
			t.Errorf("got %v, want an overload", err)
		}
		close(hold)
		synctest.Wait()
		mustSubmit(t, g, waiting("again", 1))
		g.stop()
	})
}
