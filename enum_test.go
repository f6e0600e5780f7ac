package quotekit_test

import (
	"go/ast"
	"testing"

	"github.com/quotekit/quotekit"
)

// TestEnum_ListsEveryConstant reads the constants of the typed strings off the source.
func TestEnum_ListsEveryConstant(t *testing.T) {
	constants := map[string][]string{}
	eachNode(t, ".", func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && len(spec.Values) == 1 {
				constants[typ.Name] = append(constants[typ.Name], literal(spec.Values[0]))
			}
		}
		return true
	})
	for name, values := range map[string][]string{
		"EventStatus":   quotekit.EventStatus("").Enum(),
		"FailureReason": quotekit.FailureReason("").Enum(),
		"BatchStatus":   quotekit.BatchStatus("").Enum(),
		"Outcome":       quotekit.Outcome("").Enum(),
		"TaskStatus":    quotekit.TaskStatus("").Enum(),
		"ReplayMode":    quotekit.ReplayMode("").Enum(),
		"BulkAction":    quotekit.BulkAction("").Enum(),
		"BulkOutcome":   quotekit.BulkOutcome("").Enum(),
		"ItemCode":      quotekit.ItemCode("").Enum(),
	} {
		compareLists(t, "values of "+name, values, constants[name])
	}
}
