package histogram

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"time"
)

// Histogram is a distribution of times. The zero value is empty. It may be used by
// one goroutine at a time.
type Histogram struct {
	// Count, Sum and Max are exact.
	Count int64
	Sum   time.Duration
	Max   time.Duration

	buckets []int64 // nil, or one for each
}

// steps is into how many buckets a power of two is cut, and shift its logarithm.
const (
	shift = 4
	steps = 1 << shift
)

// lastBucket holds what is longer than 12 days.
const lastBucket = 36*steps + 2*steps - 1

// bucketOf returns the bucket of a time in microseconds.
func bucketOf(us int64) int {
	exponent := max(bits.Len64(uint64(us))-shift-1, 0)
	return min(exponent*steps+int(us>>exponent), lastBucket)
}

// bounds returns where a bucket begins and where it ends, in microseconds.
func bounds(bucket int) (from, to int64) {
	exponent := max(bucket/steps-1, 0)
	from = int64(bucket-exponent*steps) << exponent
	return from, from + 1<<exponent
}

// Add adds a time. One below zero, as a clock that is set back may yield, counts
// as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.grow()
	h.Count++
	h.Sum += d
	h.Max = max(h.Max, d)
	h.buckets[bucketOf(d.Microseconds())]++
}

func (h *Histogram) grow() {
	if h.buckets == nil {
		h.buckets = make([]int64, lastBucket+1)
	}
}

// Merge adds all that is in other.
func (h *Histogram) Merge(other *Histogram) {
	if other.Count == 0 {
		return
	}
	h.grow()
	h.Count += other.Count
	h.Sum += other.Sum
	h.Max = max(h.Max, other.Max)
	for b, n := range other.buckets {
		h.buckets[b] += n
	}
}

// Mean is the average time, zero without any.
func (h *Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Quantiles returns the times that these shares of all times, from 0 to 1 and
// ascending, do not exceed; zeros without any.
func (h *Histogram) Quantiles(shares ...float64) []time.Duration {
	found := make([]time.Duration, len(shares))
	if h.Count == 0 {
		return found
	}
	var (
		below  int64
		bucket int
	)
	for n, share := range shares {
		rank := min(max(int64(math.Ceil(share*float64(h.Count))), 1), h.Count)
		for below+h.buckets[bucket] < rank {
			below += h.buckets[bucket]
			bucket++
		}
		from, to := bounds(bucket)
		// In the middle of its share of the bucket; no time is longer than the longest.
		within := (float64(rank-below) - 0.5) / float64(h.buckets[bucket])
		at := float64(from) + within*float64(to-from)
		found[n] = min(time.Duration(at*float64(time.Microsecond)), h.Max)
	}
	return found
}

// String writes the histogram so that [Parse] can read it: sum and maximum in
// microseconds, then the buckets that are not empty with their counts.
func (h *Histogram) String() string {
	b := make([]byte, 0, 256)
	b = strconv.AppendInt(b, h.Sum.Microseconds(), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, h.Max.Microseconds(), 10)
	for bucket, n := range h.buckets {
		if n > 0 {
			b = append(b, ' ')
			b = strconv.AppendInt(b, int64(bucket), 10)
			b = append(b, ':')
			b = strconv.AppendInt(b, n, 10)
		}
	}
	return string(b)
}

// Parse reads what [Histogram.String] has written.
func Parse(text string) (*Histogram, error) {
	h := new(Histogram)
	return h, h.MergeText(text)
}

// MergeText adds what [Histogram.String] has written. An error leaves h half
// changed. It takes a microsecond, since a read merges thousands.
func (h *Histogram) MergeText(text string) error {
	sum, rest, ok := number(text, ' ')
	if !ok {
		return errText
	}
	longest, rest, ok := number(rest, ' ')
	if !ok {
		return errText
	}
	h.grow()
	h.Sum += time.Duration(sum) * time.Microsecond
	h.Max = max(h.Max, time.Duration(longest)*time.Microsecond)
	for rest != "" {
		var bucket, n int64
		if bucket, rest, ok = number(rest, ':'); !ok || bucket > lastBucket {
			return errText
		}
		if n, rest, ok = number(rest, ' '); !ok || n == 0 {
			return errText
		}
		h.buckets[bucket] += n
		h.Count += n
	}
	return nil
}

var errText = errors.New("read histogram: the text is none")

// number reads the digits at the beginning of a text and skips what ends them, which
// may be missing only at the end of the text, and only if it is a space.
func number(text string, end byte) (n int64, rest string, ok bool) {
	i := 0
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		if n > math.MaxInt64/10-1 {
			return 0, "", false
		}
		n = n*10 + int64(text[i]-'0')
	}
	switch {
	case i == 0:
		return 0, "", false
	case i == len(text):
		return n, "", end == ' '
	case text[i] != end || end == ' ' && i == len(text)-1:
		return 0, "", false
	}
	return n, text[i+1:], true
}
