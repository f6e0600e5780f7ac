package alert

import (
	"fmt"
	"strings"
	"time"
)

// clip bounds what came from outside.
func clip(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}

// count is like "1 event is" and "1,200 events are".
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped writes a number with commas.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// spoken is a length of time in words, in its largest unit but the first few.
func spoken(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return count(int64(d/time.Second), "second", "seconds")
	case d < 2*time.Hour:
		return count(int64(d/time.Minute), "minute", "minutes")
	case d < 48*time.Hour:
		return count(int64(d/time.Hour), "hour", "hours")
	}
	return count(int64(d/(24*time.Hour)), "day", "days")
}

// size is a number of bytes in words.
func size(n uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	return strings.Replace(fmt.Sprintf("%.1f %s", v, units[i]), ".0 ", " ", 1)
}

func versions(seen []VersionSeen) string {
	names := make([]string, len(seen))
	for i, v := range seen {
		names[i] = v.Version
	}
	return strings.Join(names, ", ")
}
