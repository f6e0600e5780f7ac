package histogram_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/histogram"
)

// TestHistogram_PercentilesAreThoseOfTheTimes compares with the sorted times.
func TestHistogram_PercentilesAreThoseOfTheTimes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	distributions := map[string]func() float64{ // microseconds
		"even":       func() float64 { return random.Float64() * 200_000 },
		"log-normal": func() float64 { return math.Exp(random.NormFloat64()*1.5 + 8) },
		"two humps":  func() float64 { return 3000 + random.Float64()*500 + 900_000*float64(random.IntN(50)/49) },
		"all equal":  func() float64 { return 12_345 },
		"days":       func() float64 { return random.ExpFloat64() * 1e11 },
	}
	for name, next := range distributions {
		for _, n := range []int{1, 2, 7, 100, 10_000} {
			parts := make([]*histogram.Histogram, 7) // as of seven processes
			for i := range parts {
				parts[i] = new(histogram.Histogram)
			}
			times := make([]time.Duration, n)
			var sum time.Duration
			for i := range times {
				times[i] = time.Duration(next()) * time.Microsecond
				parts[random.IntN(len(parts))].Add(times[i])
				sum += times[i]
			}
			slices.Sort(times)
			all := new(histogram.Histogram)
			for _, p := range parts {
				read, err := histogram.Parse(p.String())
				if err != nil {
					t.Fatal(err)
				}
				all.Merge(read)
			}
			if all.Count != int64(n) || all.Sum != sum || all.Max != times[n-1] || all.Mean() != sum/time.Duration(n) {
				t.Errorf("%s: got %d times, sum %s, max %s, want %d, %s, %s", name, all.Count, all.Sum, all.Max, n, sum, times[n-1])
			}
			shares := []float64{0, 0.01, 0.5, 0.95, 0.99, 0.999, 1}
			for i, got := range all.Quantiles(shares...) {
				want := times[max(int(math.Ceil(shares[i]*float64(n))), 1)-1]
				if far := math.Abs(float64(got - want)); far > 0.065*float64(want)+float64(time.Microsecond) {
					t.Errorf("%s: p%g of %d = %s, want about %s", name, shares[i]*100, n, got, want)
				}
			}
		}
	}
}

func TestHistogram_Empty(t *testing.T) {
	read, err := histogram.Parse(new(histogram.Histogram).String())
	if err != nil || read.Count != 0 || read.Mean() != 0 || !slices.Equal(read.Quantiles(0.5, 1), []time.Duration{0, 0}) {
		t.Errorf("got %+v, %v", read, err)
	}
	read.Add(-time.Second) // of a clock that was set back
	if read.Count != 1 || read.Sum != 0 || read.Max != 0 {
		t.Errorf("a time below zero: got %+v", read)
	}
}

func TestParse_RefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{
		"", "1", "1 ", "1 2 3", "1 2 ", "1:2", "1 2 3:", "1 2 :3", "1 2 3:0", "1 2 3:-1", "1 2 99999:1", "-1 2", "x", "1  2", "1 2 3:4 ",
		"1 2 3:4:5", "1 2 3:4 5", "1 2 3:99999999999999999999",
	} {
		if h, err := histogram.Parse(text); err == nil {
			t.Errorf("%q: got %s", text, h)
		}
	}
}

func BenchmarkMergeText(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var h, all histogram.Histogram
	for range 200 {
		h.Add(time.Duration(math.Exp(random.NormFloat64()/2+8)) * time.Microsecond)
	}
	text := h.String()
	for b.Loop() {
		if err := all.MergeText(text); err != nil {
			b.Fatal(err)
		}
	}
}
