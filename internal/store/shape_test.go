package store_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestPendingShapes_AreWhatMigrationsMake(t *testing.T) {
	shapes, err := store.PendingShapes(func(int64) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	if got, want := slices.Sorted(maps.Keys(shapes)), slices.Sorted(maps.Keys(columns(t, s))); !slices.Equal(got, want) {
		t.Errorf("got tables %q\nwant %q", got, want)
	}
	for name, shape := range shapes {
		want, unfit, err := s.ActualColumns(t.Context(), name, shape.Types)
		if err != nil {
			t.Fatal(err)
		}
		if len(unfit) > 0 || len(shape.Types) != len(shape.Created) {
			t.Errorf("%s: got the types %v from the files: %q", name, shape.Types, unfit)
		}
		if got := slices.Concat(shape.Created, shape.Added); !slices.Equal(got, want) {
			t.Errorf("%s: got %q from the files\nwant %q as in the database", name, got, want)
		}
	}
}

func TestPendingShapes_LeaveOutWhatIsApplied(t *testing.T) {
	shapes, err := store.PendingShapes(func(v int64) bool { return v != 3 })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(shapes)), []string{"batch_jobs", "clients", "items", "quotes"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
