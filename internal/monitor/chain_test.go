package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// TestVerifyAudit_BehindACut: what retention has cut off is not missed, as long as a
// line of the chain tells of it.
func TestVerifyAudit_BehindACut(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.at(time.Now().Add(-400 * 24 * time.Hour)) // the triggers know the real time
		act := func(n int) {
			t.Helper()
			s.mustTx(func(tx *store.Tx) error {
				return tx.Audit(t.Context(), []store.AuditEntry{{Actor: "ada", Action: store.AuditReplay, StripeEventID: fmt.Sprintf("evt_%d", n), RequestID: "r"}})
			})
		}
		for n := range 5 {
			act(n)
		}
		s.at(time.Now())
		act(5)
		r, err := s.Store.BeginRetention(t.Context(), "me")
		if err != nil || r == nil {
			t.Fatalf("got %v, %v", r, err)
		}
		cut := func(limit int) {
			t.Helper()
			if _, _, err := r.Acts(t.Context(), s.now().Add(-365*24*time.Hour), limit); err != nil {
				t.Fatal(err)
			}
		}
		cut(2)
		check, err := s.VerifyAudit(t.Context())
		if err != nil || !check.Valid || check.Lines != 5 || check.Missing != 2 {
			t.Errorf("got %+v, %v", check, err)
		}
		cut(1000)
		check, err = s.VerifyAudit(t.Context())
		if err != nil || !check.Valid || check.Lines != 3 || check.Missing != 5 || check.From == nil || time.Since(*check.From) > time.Hour {
			t.Errorf("got %+v, %v", check, err)
		}
		// Behind the service's back the cut is moved, so that the triggers let more go.
		lines, err := s.Store.ChainLines(t.Context(), 0, 10)
		if err != nil || len(lines) != 3 {
			t.Fatalf("got %+v, %v", lines, err)
		}
		for _, forged := range []struct {
			to    store.ChainCut
			words string
		}{
			{store.ChainCut{Sequence: 6, Hash: "another"}, "does not follow"},
			{store.ChainCut{Sequence: 6, Hash: lines[0].Hash}, "none tells that they were deleted"},
			{store.ChainCut{Sequence: 4, Hash: lines[0].Previous}, "line 5 is missing"},
			{store.ChainCut{Sequence: 9, Hash: lines[2].Hash}, "up to number 9 are gone, and none tells"},
		} {
			s.mustTx(func(tx *store.Tx) error {
				const move = `UPDATE webhook_audit_chain SET cut_sequence = $1, cut_hash = $2 WHERE id = 1`
				_, err := tx.ExecContext(t.Context(), move, forged.to.Sequence, forged.to.Hash)
				return err
			})
			check, err := s.VerifyAudit(t.Context())
			if err != nil || check.Valid || !strings.Contains(check.Breakage, forged.words) {
				t.Errorf("with the cut at %+v: got %+v, %v, want %q", forged.to, check, err, forged.words)
			}
		}
	})
}
