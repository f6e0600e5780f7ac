package dashboard

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNiceTop(t *testing.T) {
	for _, tt := range []struct{ v, want float64 }{
		{0, 1}, {0.03, 0.04}, {1, 1}, {1.1, 2}, {7, 8}, {9, 10}, {10, 10}, {41, 60}, {99, 100}, {100.5, 200}, {123456, 200000},
	} {
		if got := niceTop(tt.v); got != tt.want {
			t.Errorf("niceTop(%v) = %v, want %v", tt.v, got, tt.want)
		}
	}
}

func chartOf(n int) *Chart {
	from := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var at []time.Time
	for i := range n {
		at = append(at, from.Add(time.Duration(i)*time.Minute))
	}
	return newChart("c", "Title", at, from, from.Add(time.Duration(n)*time.Minute))
}

func TestChart_BarsAreAsHighAsTheirCounts(t *testing.T) {
	c := chartOf(3)
	c.stack([]Series{{Name: "a", Class: "s1"}, {Name: "b", Class: "s2"}}, [][]int64{{40, 0, 100}, {60, 0, 100}})
	if len(c.Bars) != 4 { // none for what is not there
		t.Fatalf("%d bars, want 4", len(c.Bars))
	}
	sum := 0.0
	for _, b := range c.Bars {
		h, err := strconv.ParseFloat(b.H, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += h
	}
	if want := 300.0 / 200 * chartHeight; sum != want {
		t.Errorf("the bars are %v high together, want %v", sum, want)
	}
	if c.Top != "200" || c.Middle != "100" || c.Bottom != "0" {
		t.Errorf("axis = %s, %s, %s", c.Top, c.Middle, c.Bottom)
	}
	if got := c.Spots[1].Words; !strings.HasSuffix(got, ": nothing") {
		t.Errorf("the empty moment says %q", got)
	}
	if got := c.Rows[2].Values; got[0] != "100" || got[1] != "100" {
		t.Errorf("the table says %v", got)
	}
}

func TestChart_LinesHaveGaps(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	c := chartOf(5)
	c.lines([]Series{{Name: "p95", Class: "l1", Line: true}}, [][]*float64{{f(10), f(20), nil, f(5), nil}}, ms)
	if len(c.Lines) != 1 {
		t.Fatalf("%d lines, want 1", len(c.Lines))
	}
	path := c.Lines[0].Path
	if strings.Count(path, "M") != 2 || strings.Count(path, "L") != 1 || strings.Count(path, "h") != 1 {
		t.Errorf("path = %s, want a line, a gap, and a dash for what stands alone", path)
	}
	if got := c.Rows[2].Values[0]; got != nothing {
		t.Errorf("the table says %q where there is no value", got)
	}
}

func TestPercent_WhatIsNotAllIsNotShownAsAll(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		want string
	}{{1, "100 %"}, {0, "0 %"}, {0.5, "50 %"}, {0.6789, "67.9 %"}, {0.999999, "99.999 %"}, {0.99999999, "99.999 %"}, {0.9995, "99.950 %"}} {
		if got := percent(tt.v); got != tt.want {
			t.Errorf("percent(%v) = %s, want %s", tt.v, got, tt.want)
		}
	}
	if got := percent((*float64)(nil)); got != nothing {
		t.Errorf("percent of nothing = %s", got)
	}
}

func TestWords(t *testing.T) {
	n := int64(1234567)
	for got, want := range map[string]string{
		count(n): "1,234,567", count(-1000): "-1,000", count(999): "999", count(&n): "1,234,567",
		duration(90 * time.Minute): "1 h 30 min", duration(6 * time.Hour): "6 h", duration(50 * time.Hour): "2 d 2 h",
		duration(250 * time.Millisecond): "250 ms", duration(59 * time.Second): "59 s",
		ms(0.5): "0.50 ms", ms(12.34): "12.3 ms", ms(1234.0): "1234 ms", ms(12345.0): "12.3 s", ms(nil): nothing,
		plural(1, "event", "events"): "1 event", plural(int64(2000), "event", "events"): "2,000 events",
		short(4, "abcdef"): "abc…", short(6, "abcdef"): "abcdef", bytesText(1 << 30): "1 GiB", bytesText(1536): "1.5 KiB",
		string(timeTag(time.Time{})): nothing,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSpark(t *testing.T) {
	from := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	if s := spark([]int64{}, nil); s != nil {
		t.Errorf("got %+v of nothing", s)
	}
	if s := spark([]int64{0, 0}, &from); s.Words != "none failed" || len(s.Bars) != 0 {
		t.Errorf("got %+v of zeros", s)
	}
	s := spark([]int64{0, 1, 1000, 0}, &from)
	if want := "1,001 failed; most of them, 1,000, in the hour from " + stamp(from.Add(2*time.Hour)); s.Words != want {
		t.Errorf("got %q, want %q", s.Words, want)
	}
	want := []Bar{{X: "24.5", Y: "17.5", W: "23", H: "1.5"}, {X: "48.5", Y: "0", W: "23", H: "19"}}
	if !slices.Equal(s.Bars, want) {
		t.Errorf("got %+v, want %+v", s.Bars, want)
	}
}
