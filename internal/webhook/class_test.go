package webhook

import (
	"testing"

	"github.com/quotekit/quotekit"
)

func TestClass_IsTheSameForEqualErrors(t *testing.T) {
	for _, test := range []struct {
		failure failure
		want    string
	}{
		{failure{quotekit.ReasonDatabase, "database error, SQLSTATE 22003, table x, column y"}, "DATABASE_ERROR SQLSTATE 22003 table x column y"},
		{failure{quotekit.ReasonPanic, "handler x panicked at handlers/x.go:12"}, "HANDLER_PANIC handlers/x.go:12"},
		{failure{quotekit.ReasonRejected, "read customer.updated: metadata is no object"}, "HANDLER_REJECTED read customer.updated: metadata is no object"},
		{failure{quotekit.ReasonRejected, "items.data[3].price of sub_1A is not an id"}, "HANDLER_REJECTED items.data[…].price of … is not an id"},
		{failure{quotekit.ReasonTimeout, "not ready to commit 1.5s after its arrival"}, "TIMEOUT_EXCEEDED"},
		{failure{quotekit.ReasonTimeout, fetchWords + "no answer within 10s"}, "TIMEOUT_EXCEEDED fetch the current object: no answer within …"},
		{failure{quotekit.ReasonMaxRetries, "user 5b1c2a60-6d2f-4a4e-9a53-71756f74656b: 503"}, "MAX_RETRIES_EXCEEDED user …: …"},
	} {
		if got := test.failure.class(); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.failure, got, test.want)
		}
	}
}
