package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
)

const (
	barWidth = 24
	// progressPause is between two lines where there is no terminal.
	progressPause = 3 * time.Second
	// rateAfter is how long has to be watched before a rate means something.
	rateAfter = 200 * time.Millisecond
)

// progress shows how far a job is: on a terminal a bar that is drawn over and over,
// elsewhere a line every few seconds.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time

	from  time.Time // of the first look, when done items were done
	done  int
	said  time.Time
	drawn bool
}

func newProgress(w io.Writer, terminal bool, now func() time.Time) *progress {
	return &progress{w: w, terminal: terminal, now: now}
}

func (b *progress) show(j batch.Job) {
	now := b.now()
	if b.from.IsZero() || j.Status == quotekit.BatchPending {
		b.from, b.done = now, j.ProcessedItems
		if b.said.IsZero() {
			b.said = now
		}
	}
	text := b.text(j, now.Sub(b.from))
	switch {
	case b.terminal:
		fmt.Fprint(b.w, "\r"+bar(j.ProcessedItems, j.TotalItems)+"  "+text+"\x1b[K")
		b.drawn = true
	case now.Sub(b.said) >= progressPause && !j.Status.Finished():
		fmt.Fprintln(b.w, text)
		b.said = now
	}
}

// end makes room for what is printed next.
func (b *progress) end() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// text is like "311/409  62/s  eta 2 s".
func (b *progress) text(j batch.Job, watched time.Duration) string {
	text := fmt.Sprintf("%d/%d", j.ProcessedItems, j.TotalItems)
	if j.Status == quotekit.BatchPending {
		return text + "  waits for a worker"
	}
	rate := float64(j.ProcessedItems-b.done) / watched.Seconds()
	if watched < rateAfter || rate <= 0 {
		return text
	}
	text += fmt.Sprintf("  %.0f/s", math.Max(rate, 1))
	if j.UnprocessedItems > 0 {
		left := math.Ceil(float64(j.UnprocessedItems) / rate)
		text += "  eta " + eta(left)
	}
	return text
}

// eta is a number of seconds for people.
func eta(seconds float64) string {
	switch {
	case seconds < 100:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 100*60:
		return fmt.Sprintf("%.0f min", math.Ceil(seconds/60))
	}
	return fmt.Sprintf("%.0f h", math.Ceil(seconds/3600))
}

// bar is like [##################------].
func bar(done, total int) string {
	full := 0
	if total > 0 {
		full = min(max(done, 0)*barWidth/total, barWidth)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "]"
}
