package batch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// testRun makes a run of n chunks of one item each.
func testRun(user, job string, n int) *run {
	r := &run{plan: &plan{work: store.BatchWork{ID: job, UserID: user}}, fence: 1}
	for i := range n {
		r.waiting = append(r.waiting, unit{run: r, items: []item{{position: i}}})
	}
	return r
}

// turns takes n units one after the other, each done before the next is taken,
// and returns their jobs.
func turns(s *schedule, n int) string {
	var order []string
	for range n {
		u, ok := s.next()
		if !ok {
			order = append(order, "closed")
			break
		}
		order = append(order, u.run.work.ID)
		s.done(u.run)
	}
	return strings.Join(order, " ")
}

func TestSchedule_UsersTakeTurns(t *testing.T) {
	s := newSchedule(5, time.Now)
	s.add(testRun("ada", "a1", 6))
	s.add(testRun("ada", "a2", 6))
	s.add(testRun("ada", "a3", 6))
	s.add(testRun("bob", "b1", 3))
	// Ada has three jobs and Bob one, and each has every other turn.
	if got, want := turns(s, 8), "a1 b1 a2 b1 a3 b1 a1 a2"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSchedule_JobsOfAUserTakeTurns(t *testing.T) {
	s := newSchedule(5, time.Now)
	s.add(testRun("ada", "large", 100))
	turns(s, 10)
	s.add(testRun("ada", "small", 1))
	if got := turns(s, 2); !strings.Contains(got, "small") {
		t.Errorf("got %s: the small job waits for more than one chunk of the large one", got)
	}
}

// TestSchedule_NewcomersDoNotPushIn lets a user submit one small job after the
// other while somebody else has a large one.
func TestSchedule_NewcomersDoNotPushIn(t *testing.T) {
	s := newSchedule(5, time.Now)
	s.add(testRun("ada", "large", 100))
	large := 0
	for i := range 50 {
		s.add(testRun("bob", fmt.Sprint("small", i), 1))
		for _, job := range strings.Fields(turns(s, 2)) {
			if job == "large" {
				large++
			}
		}
	}
	if large < 50 {
		t.Errorf("the large job had %d of 100 turns, want half of them", large)
	}
}

func TestSchedule_BoundsChunksOfOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(2, time.Now)
		s.add(testRun("ada", "a1", 3))
		first, _ := s.next()
		_, _ = s.next()
		third := make(chan unit)
		go func() {
			u, _ := s.next()
			third <- u
		}()
		synctest.Wait()
		select {
		case <-third:
			t.Fatal("three chunks of a job run, want two at most")
		default:
		}
		s.done(first.run)
		if u := <-third; u.items[0].position != 2 {
			t.Errorf("got position %d", u.items[0].position)
		}
	})
}

// TestSchedule_PutOffUnitsWait has a unit come back for later: others are not
// held up, and it comes when it is due.
func TestSchedule_PutOffUnitsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(5, time.Now)
		started := time.Now()
		s.add(testRun("ada", "a1", 2))
		u, _ := s.next()
		u.due = started.Add(3 * time.Second)
		s.done(u.run, u)
		if other, _ := s.next(); other.items[0].position != 1 || time.Since(started) != 0 {
			t.Errorf("position %d after %s, want 1 at once", other.items[0].position, time.Since(started))
		}
		if again, _ := s.next(); again.items[0].position != 0 || time.Since(started) != 3*time.Second {
			t.Errorf("position %d after %s, want 0 after 3s", again.items[0].position, time.Since(started))
		}
	})
}

// TestSchedule_WaitsForTheSoonest adds a job while somebody waits for a unit that is
// put off.
func TestSchedule_WaitsForTheSoonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(5, time.Now)
		started := time.Now()
		s.add(testRun("ada", "a1", 1))
		u, _ := s.next()
		u.due = started.Add(time.Minute)
		s.done(u.run, u)
		time.AfterFunc(time.Second, func() { s.add(testRun("bob", "b1", 1)) })
		if u, _ := s.next(); u.run.work.ID != "b1" || time.Since(started) != time.Second {
			t.Errorf("got %s after %s", u.run.work.ID, time.Since(started))
		}
	})
}

func TestSchedule_ForgetsWhatIsDone(t *testing.T) {
	s := newSchedule(5, time.Now)
	for i := range 100 {
		s.add(testRun(fmt.Sprint("user", i%7), fmt.Sprint("job", i), 3))
	}
	turns(s, 300)
	if s.size() != 0 || len(s.served) != 0 {
		t.Errorf("%d jobs and %d users are left", s.size(), len(s.served))
	}
}

func TestSchedule_DroppedJobsDoNotComeBack(t *testing.T) {
	s := newSchedule(5, time.Now)
	r := testRun("ada", "a1", 5)
	s.add(r)
	s.add(testRun("bob", "b1", 1))
	u, _ := s.next()
	s.drop("a1")
	if s.has("a1") {
		t.Error("a dropped job is still there")
	}
	s.done(u.run, u) // its unit comes back from the database
	if got := turns(s, 1); got != "b1" {
		t.Errorf("got %s", got)
	}
	if s.size() != 0 || len(s.served) != 0 {
		t.Errorf("%d jobs and %d users are left", s.size(), len(s.served))
	}
}

// TestSchedule_NewAttemptReplacesTheOld claims a job again, of which a chunk of
// an earlier attempt still runs.
func TestSchedule_NewAttemptReplacesTheOld(t *testing.T) {
	s := newSchedule(5, time.Now)
	old := testRun("ada", "a1", 2)
	s.add(old)
	u, _ := s.next()
	again := testRun("ada", "a1", 1)
	again.fence = 3
	s.add(again)
	s.done(u.run, u)
	got, _ := s.next()
	if got.run != again {
		t.Errorf("got a unit of fence %d, want one of 3", got.run.fence)
	}
	s.done(got.run)
	if s.size() != 0 || len(s.served) != 0 {
		t.Errorf("%d jobs and %d users are left", s.size(), len(s.served))
	}
}

func TestSchedule_CloseWakesWhoeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(5, time.Now)
		ended := make(chan bool)
		for range 3 {
			go func() {
				_, ok := s.next()
				ended <- ok
			}()
		}
		synctest.Wait()
		s.close()
		if got := []bool{<-ended, <-ended, <-ended}; slices.Contains(got, true) {
			t.Errorf("got %v", got)
		}
		if s.add(testRun("ada", "a1", 1)) {
			t.Error("a closed schedule takes a job")
		}
	})
}
