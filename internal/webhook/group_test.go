package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/quotekit/quotekit"
)

func waiting(id string, priority int) *delivery {
	return &delivery{event: quotekit.Event{ID: id}, route: &quotekit.Route{Priority: priority}, done: make(chan answer, 1)}
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
		g := newGroup(1000, func(_ context.Context, batch []*delivery) {
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
		g := newGroup(maxGroup+10, func(_ context.Context, batch []*delivery) {
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
	g := newGroup(100_000, func(_ context.Context, batch []*delivery) {
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
