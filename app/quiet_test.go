package app_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
)

func TestQuiet_EqualLinesAreCounted(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	n := new(notebook)
	root := slog.New(app.Quiet(slog.NewTextHandler(n, nil), func() time.Time { return now }))
	logger := root.With("from", "a room")
	lines := func() int { return strings.Count(n.String(), "\n") }

	for i := range 1000 {
		logger.Warn("the database is away", "try", i)
	}
	if got := lines(); got != 20 {
		t.Errorf("got %d lines of 1000 equal ones, want 20", got)
	}
	root.Warn("the database is away")
	if got := lines(); got != 20 {
		t.Error("another logger of the same kind has a count of its own")
	}
	logger.Warn("something else")
	logger.Error("the database is away")
	if got := lines(); got != 22 {
		t.Errorf("got %d lines, want two more of other messages and levels", got)
	}
	now = now.Add(time.Minute)
	logger.Warn("the database is away")
	if text := n.String(); lines() != 23 || !strings.Contains(text, "left_out=981") {
		t.Errorf("got %d lines, want one that says how many were left out:\n%s", lines(), text)
	}
	for range 1000 {
		logger.Info("request", "status", 503)
	}
	if got := lines(); got != 23+600 {
		t.Errorf("got %d lines of requests, want 600", got-23)
	}
}
