package bench

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestSchedule_NoErrorAddsUp(t *testing.T) {
	s := schedule{began: time.Unix(1000, 0), perSecond: 3}
	for n, want := range map[int]time.Duration{0: 0, 3: time.Second, 3_000_000: 1_000_000 * time.Second} {
		if got := s.due(n).Sub(s.began); got != want {
			t.Errorf("event %d is due after %s, want %s", n, got, want)
		}
	}
}

// TestPace_ChargesForWaiting has a service that stops for a second: those who would
// have come meanwhile are charged for what was left of it.
func TestPace_ChargesForWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := schedule{began: time.Now(), perSecond: 10}
		took, late, err := pace(t.Context(), plan, 15, 1, func(_, n int) error {
			if n == 2 {
				time.Sleep(time.Second)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ms := func(list ...int) (times []time.Duration) {
			for _, n := range list {
				times = append(times, time.Duration(n)*time.Millisecond)
			}
			return times
		}
		if want := ms(0, 0, 1000, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0, 0, 0); !slices.Equal(took, want) {
			t.Errorf("took %v, want %v", took, want)
		}
		if want := ms(0, 0, 0, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0, 0, 0); !slices.Equal(late, want) {
			t.Errorf("late %v, want %v", late, want)
		}
	})
}

// TestPace_OthersDoNotWait has a connection that is stuck, and another one.
func TestPace_OthersDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := schedule{began: time.Now(), perSecond: 10}
		_, late, err := pace(t.Context(), plan, 10, 2, func(_, n int) error {
			if n == 0 {
				time.Sleep(time.Minute)
			}
			return nil
		})
		if err != nil || slices.Max(late) != 0 {
			t.Errorf("late %v, %v, want nobody", late, err)
		}
	})
}

func TestPace_EndsWithTheFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan, broken := schedule{began: time.Now(), perSecond: 1}, errors.New("broken")
		sent := 0
		_, _, err := pace(t.Context(), plan, 1000, 1, func(_, n int) error {
			sent++
			if n == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || sent != 4 {
			t.Errorf("sent %d, %v", sent, err)
		}
	})
}

func TestPace_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		sent := 0
		_, _, err := pace(ctx, schedule{began: time.Now(), perSecond: 1}, 1000, 1, func(_, _ int) error {
			sent++
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || sent != 3 {
			t.Errorf("sent %d, %v", sent, err)
		}
	})
}
