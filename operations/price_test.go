package operations_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quotekit/quotekit"
)

func adjust(kind, value string) string {
	return fmt.Sprintf(`{"price_adjustment": {"type": %q, "value": %q}}`, kind, value)
}

func TestUpdateItemPrices_IsExact(t *testing.T) {
	const most = "99999999.99"
	for _, c := range []struct{ kind, value, old, want string }{
		{"percentage", "5", "10.00", "10.50"},
		{"percentage", "5", "0.10", "0.11"}, // 0.105
		{"percentage", "-5", "0.10", "0.10"},
		{"percentage", "10", "0.05", "0.06"}, // 0.055
		{"percentage", "-10", "0.05", "0.05"},
		{"percentage", "-50", "0.01", "0.01"}, // 0.005: half up
		{"percentage", "-50.000001", "0.01", "0.00"},
		{"percentage", "0", "12.34", "12.34"},
		{"percentage", "-0", "12.34", "12.34"},
		{"percentage", "0.000001", most, "100000000.99 out"},
		{"percentage", "-100", most, "0.00"},
		{"percentage", "100", "50000000.00", "100000000.00 out"},
		{"percentage", "999999999999", "0.00", "0.00"},
		{"percentage", "999999999999.999999", "0.01", "100000000.01 out"},
		{"percentage", "19", "1.15", "1.37"},
		{"percentage", "7.25", "8.00", "8.58"},
		{"fixed", "0.1", "0.20", "0.30"},
		{"fixed", "-0.20", "0.20", "0.00"},
		{"fixed", "-0.21", "0.20", "-0.01 out"},
		{"fixed", "-0.205", "0.20", "0.00"}, // -0.005 is 0.00, half up
		{"fixed", "-0.206", "0.20", "-0.01 out"},
		{"fixed", "0.005", "1.00", "1.01"},
		{"fixed", "0.004999", "1.00", "1.00"},
		{"fixed", "0.004", most, most},
		{"fixed", "0.005", most, "100000000.00 out"},
		{"fixed", "-999999999999.999999", "1.00", "-999999999999.00 out"},
	} {
		old, err := quotekit.ParseCents(c.old)
		if err != nil {
			t.Fatal(err)
		}
		step := mustPrepare(t, "update_item_prices", adjust(c.kind, c.value))
		values, problem := step.Update(row{"unit_price": old})
		got := ""
		switch price, changed := values["unit_price"]; {
		case problem != nil:
			got = string(problem.Code) + " " + problem.Message
		case changed:
			got = fmt.Sprint(price)
		default:
			got = old.String()
		}
		want := c.want
		if price, out := strings.CutSuffix(c.want, " out"); out {
			want = fmt.Sprintf("out_of_range the price %s would become %s, which is not from 0.00 to 99999999.99", c.old, price)
		}
		if got != want || changedToTheSame(values, old) {
			t.Errorf("%s %s of %s: got %s, want %s", c.kind, c.value, c.old, got, want)
		}
	}
}

func changedToTheSame(values quotekit.Values, old quotekit.Cents) bool {
	return len(values) > 0 && values["unit_price"] == old
}

func TestUpdateItemPrices_FailsWithoutAPrice(t *testing.T) {
	step := mustPrepare(t, "update_item_prices", adjust("fixed", "1"))
	values, problem := step.Update(row{})
	if values != nil || problem == nil || problem.Code != quotekit.ItemOutOfRange {
		t.Errorf("got %v, %v", values, problem)
	}
}

func TestUpdateItemPrices_RefusesWhatIsNotPlain(t *testing.T) {
	const rule = `price_adjustment.value must be a plain decimal like "5" or "-2.50", of at most 12 digits before the point and 6 behind it`
	for _, value := range []string{
		"", " ", "+5", "1e2", "1E2", "NaN", "Inf", "-Inf", "0x10", "1_000", "1,5", "5%", " 5", "5 ", "5\n", ".5", "5.",
		".", "-", "--5", "-.5", "1.2.3", "٥", "½", "1.0000000", "1000000000000", "0000000000001", "1/2", "\x00",
	} {
		text, _ := json.Marshal(value)
		options := fmt.Sprintf(`{"price_adjustment": {"type": "fixed", "value": %s}}`, text)
		if _, problems := prepare(t, "update_item_prices", options); list(problems) != rule {
			t.Errorf("%q: got %s", value, list(problems))
		}
	}
	for adjustment, want := range map[string]string{
		`{"type": "fixed", "value": 5}`:    `price_adjustment.value must be a string like "5", not a number: numbers lose digits on the way`,
		`{"type": "fixed", "value": 5e1}`:  `price_adjustment.value must be a string like "5", not a number: numbers lose digits on the way`,
		`{"type": "fixed", "value": true}`: `price_adjustment.value must be a string like "5", not a boolean`,
		`{"type": "fixed", "value": null}`: "price_adjustment.value is required",
		`{"type": "fixed"}`:                "price_adjustment.value is required",
		`{"value": "5"}`:                   "price_adjustment.type is required",
		`{"type": "factor", "value": "5"}`: "price_adjustment.type must be one of percentage, fixed",
		`{"type": 1, "value": 2}`: "price_adjustment.type must be a string, not a number\n" +
			`price_adjustment.value must be a string like "5", not a number: numbers lose digits on the way`,
		`{"type": "percentage", "value": "-100.000001"}`:                "price_adjustment.value must not be below -100 percent",
		`{"type": "fixed", "value": "5", "currency": "eur"}`:            "price_adjustment.currency is not a known field",
		`{"type": "fixed", "value": "5", "id": 1}`:                      "price_adjustment.id is not a known field",
		`{"type": "fixed", "value": "5", "value": "6"}`:                 "price_adjustment.value appears twice",
		`{"type": "fixed", "value": "5", "note": {"a": 1, "\u0061":2}}`: "price_adjustment.note.a appears twice",
		`"5"`: "price_adjustment must be an object, not a string",
		`5`:   "price_adjustment must be an object, not a number",
		`[]`:  "price_adjustment must be an object, not an array",
		`{}`:  "price_adjustment.type is required\nprice_adjustment.value is required",
	} {
		if _, problems := prepare(t, "update_item_prices", `{"price_adjustment": `+adjustment+`}`); list(problems) != want {
			t.Errorf("%s: got %s, want %s", adjustment, list(problems), want)
		}
	}
}

// TestUpdateItemPrices_EqualFractions compares with fractions that never leave
// the unit of the currency, and that are rounded by their remainder.
func TestUpdateItemPrices_EqualFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"percentage", "fixed"}).Draw(t, "kind")
		value := rapid.OneOf(
			rapid.StringMatching(`-?[0-9]{1,2}(\.[0-9]{1,6})?`),
			rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,6})?`),
		).Draw(t, "value")
		old := quotekit.Cents(rapid.OneOf(
			rapid.Int64Range(0, 1000), rapid.Int64Range(0, int64(quotekit.MaxCents)), rapid.Int64(),
		).Draw(t, "old"))

		change, _ := new(big.Rat).SetString(value)
		price := big.NewRat(int64(old), 100)
		if kind == "fixed" {
			price.Add(price, change)
		} else {
			price.Mul(price, change.Add(change.Quo(change, big.NewRat(100, 1)), big.NewRat(1, 1)))
		}
		want := roundedUp(price.Mul(price, big.NewRat(100, 1)))
		inRange := want.Sign() >= 0 && want.Cmp(big.NewInt(int64(quotekit.MaxCents))) <= 0

		var given map[string]json.RawMessage
		if err := json.Unmarshal([]byte(adjust(kind, value)), &given); err != nil {
			t.Fatal(err)
		}
		step, problems := find("update_item_prices").Prepare(given)
		if belowAll := kind == "percentage" && change.Sign() < 0; belowAll != (len(problems) > 0) {
			t.Fatalf("%s: %v", value, problems)
		} else if belowAll {
			return
		}
		values, problem := step.Update(row{"unit_price": old})
		got, changed := values["unit_price"].(quotekit.Cents)
		switch {
		case !inRange:
			if problem == nil || problem.Code != quotekit.ItemOutOfRange || values != nil {
				t.Fatalf("got %v, %v for a price of %s cents", values, problem, want)
			}
		case problem != nil || values == nil:
			t.Fatalf("got %v, %v, want %s cents", values, problem, want)
		case !changed && want.Cmp(big.NewInt(int64(old))) != 0:
			t.Fatalf("got no change, want %s cents", want)
		case changed && (got == old || want.Cmp(big.NewInt(int64(got))) != 0):
			t.Fatalf("got %d, want %s cents", got, want)
		}
	})
}

// roundedUp rounds to the nearest integer, a half to the greater one.
func roundedUp(r *big.Rat) *big.Int {
	whole, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if rest.Lsh(rest, 1).Cmp(r.Denom()) >= 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole
}
