package webhook

import (
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/stripe"
)

func TestClock_NeedsEvidence(t *testing.T) {
	const secret = "whsec_clock"
	body := []byte(`{"id":"evt_1"}`)
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	type delivery struct {
		made time.Duration // on Stripe's clock, from start
		key  string
	}
	right := func(made ...time.Duration) (all []delivery) {
		for _, m := range made {
			all = append(all, delivery{m, secret})
		}
		return all
	}
	for name, test := range map[string]struct {
		ahead      time.Duration // our clock
		deliveries []delivery
		want       time.Duration
	}{
		"equal":                       {0, right(0, 2*time.Second, 4*time.Second), 0},
		"behind":                      {-2 * time.Minute, right(0), -2 * time.Minute},
		"a little behind":             {-50 * time.Second, right(0, 2*time.Second, 4*time.Second), 0},
		"ahead":                       {10 * time.Minute, right(0, 2*time.Second, 4*time.Second), 10 * time.Minute},
		"ahead, but still taken":      {2 * time.Minute, right(0, 2*time.Second, 4*time.Second), 2 * time.Minute},
		"not enough evidence":         {10 * time.Minute, right(0, 2*time.Second), 0},
		"one that is sent again":      {10 * time.Minute, right(0, 0, 0, 0), 0},
		"too many to look at":         {10 * time.Minute, right(0, 100*time.Millisecond, 200*time.Millisecond), 0},
		"signed with another secret":  {10 * time.Minute, []delivery{{0, "x"}, {2 * time.Second, "x"}, {4 * time.Second, "x"}}, 0},
		"from the future, not signed": {-2 * time.Minute, []delivery{{0, "x"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock([]string{secret})
			for i, d := range test.deliveries {
				arrived := start.Add(d.made + test.ahead)
				if d.made == 0 && i > 0 { // later, of the same time
					arrived = arrived.Add(time.Duration(i) * 2 * time.Second)
				}
				header := stripe.Sign(body, d.key, start.Add(d.made))
				c.look(body, header, arrived, stripe.VerifySignature(body, header, c.secrets, arrived, signatureTolerance))
			}
			if c.skew != test.want {
				t.Errorf("got %s, want %s", c.skew, test.want)
			}
		})
	}

	t.Run("mended", func(t *testing.T) {
		c := newClock([]string{secret})
		c.note(sighting{start, -2 * time.Minute})
		for i := range evidence {
			c.note(sighting{start.Add(time.Duration(i+1) * time.Second), time.Second})
		}
		if c.skew != 0 {
			t.Errorf("got %s after the clock was put right", c.skew)
		}
		if len(c.doubt) != 1 {
			t.Error("nobody was told")
		}
	})
}
