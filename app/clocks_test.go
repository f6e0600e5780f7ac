package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestClocks_AreCompared runs services whose clocks are wrong, in a world whose
// database and sender are right.
func TestClocks_AreCompared(t *testing.T) {
	for name, test := range map[string]struct {
		off              time.Duration
		database, stripe string // what is said to be ahead
	}{
		"right":  {0, "", ""},
		"ahead":  {10 * time.Minute, "ahead=10m", "ahead=10m"},
		"behind": {-2 * time.Minute, "ahead=-2m", "ahead=-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logger, log := withNotebook()
			now := func() time.Time { return time.Now().Add(test.off) }
			s := mustStart(t, storetest.PostgresURL(t, tables), app.Options{Now: now, Logger: logger, Role: app.RoleWeb})
			line := func(whose, want string) func() bool {
				return func() bool {
					for _, l := range strings.Split(log.String(), "\n") {
						if strings.Contains(l, "compared_with="+whose) && strings.Contains(l, want) {
							return true
						}
					}
					return false
				}
			}
			posted := 0
			said := func(whose, want string) func() bool {
				return func() bool { // deliveries go on: those of three different seconds have to agree
					s.post(product(fmt.Sprintf("evt_%d", posted), "prod_1"))
					posted++
					return line(whose, want)()
				}
			}
			if test.off == 0 {
				began := time.Now()
				eventually(t, 20*time.Second, "four seconds", func() bool {
					return said("nobody", "")() || time.Since(began) > 4*time.Second
				})
				if strings.Contains(log.String(), "compared_with") || s.Clocks() != (app.Clocks{}) {
					t.Errorf("got %+v and:\n%s", s.Clocks(), log)
				}
				return
			}
			eventually(t, 20*time.Second, "a word about the database's clock", line(`"the database"`, test.database))
			eventually(t, 20*time.Second, "a word about Stripe's clock", said("Stripe", test.stripe))
			if got := s.Clocks(); (got.Database > 0) != (test.off > 0) || (got.Stripe > 0) != (test.off > 0) {
				t.Errorf("got %+v", got)
			}
			if n := strings.Count(log.String(), "compared_with"); n > 2 {
				t.Errorf("it was said %d times:\n%s", n, log)
			}
		})
	}
}
