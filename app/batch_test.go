package app_test

import (
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

func TestBatch_DeletesAndRestores(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		ids := s.quotes(u, 120, nil)
		before := s.application()
		j := u.run("delete_quotes", ids, nil)
		u.checkSums(j)
		if j.Status != quotekit.BatchCompleted || j.SucceededItems != 120 {
			t.Fatalf("got %+v", j)
		}
		if rows := s.application(); len(rows) != 0 {
			t.Errorf("got %d rows, want none", len(rows))
		}
		undo := u.act(j.ID, "undo")
		u.checkSums(undo)
		if undo.SucceededItems != 120 || *undo.Links.Parent != "/v1/batch-jobs/"+j.ID {
			t.Errorf("got %+v", undo)
		}
		if d := diff(s.application(), before); d != "" {
			t.Errorf("the rows are not what they were:\n%s", d)
		}
	})
}
