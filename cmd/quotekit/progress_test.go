package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
)

func at(status quotekit.BatchStatus, done, total int) batch.Job {
	return batch.Job{Status: status, ProcessedItems: done, TotalItems: total, UnprocessedItems: total - done}
}

func TestBar(t *testing.T) {
	tests := []struct {
		done, total int
		want        string
	}{
		{0, 409, "[------------------------]"},
		{311, 409, "[##################------]"},
		{408, 409, "[#######################-]"},
		{409, 409, "[########################]"},
		{0, 0, "[------------------------]"},
		{5, 4, "[########################]"},
	}
	for _, tt := range tests {
		if got := bar(tt.done, tt.total); got != tt.want {
			t.Errorf("%d of %d: got %s, want %s", tt.done, tt.total, got, tt.want)
		}
	}
}

func TestProgress_OnATerminal(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	b := newProgress(&out, true, func() time.Time { return now })
	b.show(at(quotekit.BatchPending, 0, 409))
	now = now.Add(time.Minute) // waiting does not count
	b.show(at(quotekit.BatchPending, 0, 409))
	now = now.Add(5 * time.Second)
	b.show(at(quotekit.BatchProcessing, 311, 409))
	b.end()
	want := "\r[------------------------]  0/409  waits for a worker\x1b[K" +
		"\r[------------------------]  0/409  waits for a worker\x1b[K" +
		"\r[##################------]  311/409  62/s  eta 2 s\x1b[K" +
		"\r\x1b[K"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}
}

func TestProgress_ElsewhereALineNowAndThen(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	b := newProgress(&out, false, func() time.Time { return now })
	for done := range 100 { // a second each
		b.show(at(quotekit.BatchProcessing, 50+done, 1000))
		now = now.Add(time.Second)
		if done == 6 {
			break
		}
	}
	b.show(at(quotekit.BatchCompleted, 1000, 1000))
	b.end()
	if want := "53/1000  1/s  eta 16 min\n56/1000  1/s  eta 16 min\n"; out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}

func TestETA(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0 s", 99: "99 s", 100: "2 min", 5999: "100 min", 6000: "2 h"} {
		if got := eta(seconds); got != want {
			t.Errorf("%v: got %s, want %s", seconds, got, want)
		}
	}
}
