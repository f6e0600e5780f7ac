package quotekit_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quotekit/quotekit"
)

func TestCents_Shows(t *testing.T) {
	for c, want := range map[quotekit.Cents]string{
		0: "0.00", 5: "0.05", 50: "0.50", 1250: "12.50", -5: "-0.05", -1250: "-12.50", quotekit.MaxCents: "99999999.99",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		if got := c.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(c), got, want)
		}
		if b, err := json.Marshal(c); err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%d: got %s, %v", int64(c), b, err)
		}
	}
}

func TestRate_Shows(t *testing.T) {
	for r, want := range map[quotekit.Rate]string{
		0: "0.00", 1: "0.0001", 10: "0.001", 190000: "19.00", 195000: "19.50", 190250: "19.025", -190001: "-19.0001",
		quotekit.MaxRate: "999.9999",
	} {
		if got := r.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(r), got, want)
		}
		if b, err := json.Marshal(r); err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%d: got %s, %v", int64(r), b, err)
		}
	}
}

func TestParseCents(t *testing.T) {
	for s, want := range map[string]quotekit.Cents{
		"0": 0, "-0": 0, "12": 1200, "12.5": 1250, "12.50": 1250, "12.5000": 1250, "0.01": 1, "-0.01": -1, "007.10": 710,
		"99999999.99": quotekit.MaxCents, "92233720368547758.07": math.MaxInt64,
		"1." + strings.Repeat("0", 100): 100, strings.Repeat("0", 100) + "1": 100,
	} {
		if got, err := quotekit.ParseCents(s); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", s, int64(got), err, int64(want))
		}
	}
	for s, want := range map[string]string{
		"0.001": "more than 2 digits", "1.2345": "more than 2 digits", "92233720368547758.08": "too many digits",
		strings.Repeat("9", 30): "too many digits",
	} {
		if got, err := quotekit.ParseCents(s); err == nil || !strings.HasPrefix(err.Error(), want) || got != 0 {
			t.Errorf("%s: got %d, %v, want %s", s, int64(got), err, want)
		}
	}
}

// malformed are texts that no parser of decimals takes.
var malformed = []string{
	"", " ", "-", ".", "-.", "+1", "--1", "1-", ".5", "5.", "1e2", "1E2", "1,5", "1_0", "0x1", "1.2.3", "1 ", " 1", "1.-5",
	"NaN", "Inf", "null", "true", "\"1\"", "٣", "1\x00", "1/2",
}

func TestParseCentsAndParseRate_RefuseOtherThanDecimals(t *testing.T) {
	for _, s := range malformed {
		if c, err := quotekit.ParseCents(s); err == nil || c != 0 {
			t.Errorf("cents %q: got %d, %v", s, int64(c), err)
		}
		if r, err := quotekit.ParseRate(s); err == nil || r != 0 {
			t.Errorf("rate %q: got %d, %v", s, int64(r), err)
		}
	}
}

func TestParseRate(t *testing.T) {
	for s, want := range map[string]quotekit.Rate{
		"19": 190000, "19.5": 195000, "0.0001": 1, "-7.25": -72500, "999.9999": quotekit.MaxRate, "1.50000": 15000,
	} {
		if got, err := quotekit.ParseRate(s); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", s, int64(got), err, int64(want))
		}
	}
	if _, err := quotekit.ParseRate("0.00001"); err == nil || !strings.HasPrefix(err.Error(), "more than 4 digits") {
		t.Errorf("got %v", err)
	}
}

// TestParseCentsAndParseRate_AreExact compares with fractions, and reads back
// what is shown.
func TestParseCentsAndParseRate_AreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "n")
		for _, c := range []struct {
			shown string
			unit  int64
			parse func(string) (int64, error)
		}{
			{quotekit.Cents(n).String(), 100, func(s string) (int64, error) { c, err := quotekit.ParseCents(s); return int64(c), err }},
			{quotekit.Rate(n).String(), 10000, func(s string) (int64, error) { r, err := quotekit.ParseRate(s); return int64(r), err }},
		} {
			if value, ok := new(big.Rat).SetString(c.shown); !ok || value.Cmp(big.NewRat(n, c.unit)) != 0 {
				t.Fatalf("%d is shown as %s", n, c.shown)
			}
			if got, err := c.parse(c.shown); err != nil || got != n {
				t.Fatalf("%s: got %d, %v, want %d", c.shown, got, err, n)
			}
		}
	})
}

func TestCentsAndRate_ReadStringsAndNumbers(t *testing.T) {
	var got struct {
		A, B, C *quotekit.Cents
		D, E    quotekit.Rate
		F       quotekit.Cents
	}
	got.F = 7
	const text = `{"A": "12.5", "B": 12.50, "C": null, "D": "19", "E": 7.7000, "F": null}`
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if *got.A != 1250 || *got.B != 1250 || got.C != nil || got.D != 190000 || got.E != 77000 || got.F != 7 {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{`""`, `"null"`, `"1.234567"`, `1e2`, `true`, `[]`, `{}`, `"\"1\""`} {
		var c quotekit.Cents
		var r quotekit.Rate
		if json.Unmarshal([]byte(text), &c) == nil || json.Unmarshal([]byte(text), &r) == nil {
			t.Errorf("%s: got %s, %s, no error", text, c, r)
		}
	}
}

func TestTimestamp_ReadsWhatTheEnginesWrite(t *testing.T) {
	want := time.Date(2026, 1, 31, 23, 59, 59, 123456000, time.UTC)
	for _, text := range []string{
		"2026-01-31T23:59:59.123456Z", "2026-01-31T23:59:59.123456+00:00", "2026-02-01T01:29:59.123456+01:30",
		"2026-01-31 23:59:59.123456+00:00", "2026-01-31 18:59:59.123456-05:00", "2026-01-31T23:59:59.123456",
	} {
		var got quotekit.Timestamp
		if err := json.Unmarshal([]byte(`"`+text+`"`), &got); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
	for _, text := range []string{`""`, `"infinity"`, `1`, `{}`, `"31.01.2026"`} {
		var got quotekit.Timestamp
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %s", text, got)
		}
	}
	var day quotekit.Timestamp
	if err := json.Unmarshal([]byte(`"2026-01-31"`), &day); err != nil || !day.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("a date: got %s, %v", day, err)
	}
	kept := quotekit.Timestamp{Time: want}
	if err := json.Unmarshal([]byte("null"), &kept); err != nil || !kept.Equal(want) {
		t.Errorf("null: got %s, %v", kept, err)
	}
}

func TestTimestamp_IsShownInMicroseconds(t *testing.T) {
	east := time.FixedZone("", 3600)
	for want, at := range map[string]time.Time{
		"2026-01-31T23:00:00Z":        time.Date(2026, 2, 1, 0, 0, 0, 0, east),
		"2026-01-31T12:00:00.5Z":      time.Date(2026, 1, 31, 12, 0, 0, 500_000_000, time.UTC),
		"2026-01-31T12:00:00.000001Z": time.Date(2026, 1, 31, 12, 0, 0, 1999, time.UTC),
		"2026-01-31T12:00:00Z":        time.Date(2026, 1, 31, 12, 0, 0, 999, time.UTC),
	} {
		b, err := json.Marshal(quotekit.Timestamp{Time: at})
		if err != nil || string(b) != fmt.Sprintf("%q", want) {
			t.Errorf("got %s, %v, want %s", b, err, want)
		}
	}
}
