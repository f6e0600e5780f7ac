package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quotekit/quotekit"
)

// Batch is what is counted of bulk operations. A nil Batch counts nothing.
type Batch struct {
	items *prometheus.CounterVec
	known map[string]bool
}

// itemOutcomes are those that work on an item can have.
var itemOutcomes = []quotekit.Outcome{quotekit.Succeeded, quotekit.Failed, quotekit.Skipped}

func newBatch(operations []quotekit.Operation, others []string) *Batch {
	b := &Batch{known: map[string]bool{}, items: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "batch_items_total",
		Help: "Items of bulk operations that came to an outcome: succeeded, failed, skipped. Those of dry runs changed nothing.",
	}, []string{"operation", "outcome", "dry_run"})}
	for _, o := range operations {
		others = append(others, o.Name)
	}
	for _, name := range others {
		b.known[name] = true
		for _, o := range itemOutcomes {
			for _, dry := range []bool{false, true} {
				b.items.WithLabelValues(name, string(o), strconv.FormatBool(dry))
			}
		}
	}
	return b
}

// Counted adds items of an operation that came to an outcome, once that is committed.
func (b *Batch) Counted(operation string, dryRun bool, o quotekit.Outcome, items int) {
	if b == nil || items == 0 {
		return
	}
	if !b.known[operation] {
		operation = Other
	}
	b.items.WithLabelValues(operation, string(o), strconv.FormatBool(dryRun)).Add(float64(items))
}
