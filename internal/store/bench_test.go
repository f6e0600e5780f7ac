package store_test

import (
	"fmt"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// BenchmarkUpsert writes customers again and again, in transactions of as many
// rows as its name says; a row is what it counts.
func BenchmarkUpsert(b *testing.B) {
	for engine, url := range map[string]func(testing.TB, storetest.Migrate) string{
		"sqlite": storetest.SQLiteURL, "postgres": storetest.PostgresURL,
	} {
		for _, n := range []int{1, 16, 64, 128} {
			b.Run(fmt.Sprintf("%s/%d", engine, n), func(b *testing.B) {
				s := storetest.Open(b, url(b, storetest.Tables))
				name := "name"
				for b.Loop() {
					err := s.WithTx(b.Context(), func(tx *store.Tx) error {
						return tx.Upsert(b.Context(), store.CustomersTable, customers(tx, n, &name))
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/row")
			})
		}
	}
}
