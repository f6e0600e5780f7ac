package sample

import (
	"math/rand/v2"
	"regexp"
	"testing"
	"time"
)

// TestID_HasTheTimeWhereStripeHasIt: of examples of Stripe's API reference.
func TestID_HasTheTimeWhereStripeHasIt(t *testing.T) {
	m := New(rand.NewPCG(1, 2), time.Now)
	for id, at := range map[string]int64{
		"evt_1NG8Du2eZvKYlo2CUI79vXWy": 1686089970, "evt_1CiPtv2eZvKYlo2CcUZsDcO6": 1530291411,
		"cus_NffrFeUfNV2Hib": 1680893993, "cus_FzVfjbZ7ehFJ4a": 1571071402,
	} {
		shape := regexp.MustCompile(`^(evt_1.{5}|cus_.{4})`).FindString(id)
		got := m.id(id[:4]+map[byte]string{'e': "1"}[id[0]], at)
		if len(got) != len(id) || got[:len(shape)] != shape {
			t.Errorf("got %s of %d, want one like %s", got, at, id)
		}
	}
}
