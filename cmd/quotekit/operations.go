package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/operations"
)

func (p *program) operationsCommand() *cli.Command {
	return &cli.Command{
		Name:  "operations",
		Usage: "list the bulk operations and their options",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			list := page[batch.OperationInfo]{Items: batch.Describe(operations.Operations())}
			return p.print(c, list, func(t *table) {
				t.row("OPERATION", "KIND", "TAKES", "AT MOST", "OPTION", "EXAMPLE")
				for _, o := range list.Items {
					operationRows(t, o)
				}
			})
		},
	}
}

// operationRows has a line for each option, or one if there is none.
func operationRows(t *table, o batch.OperationInfo) {
	takes := o.Table + " (ids)"
	if o.Kind == quotekit.OperationCreate {
		takes = o.Table + " (objects)"
	}
	if len(o.Options) == 0 {
		t.row(o.Name, o.Kind, takes, o.MaxItems, "-", "-")
	}
	for _, option := range o.Options {
		needed := " (optional)"
		if option.Required {
			needed = ""
		}
		t.row(o.Name, o.Kind, takes, o.MaxItems, option.Name+needed, optionExample(option))
	}
}

// optionExample is an option as it is typed.
func optionExample(o batch.OptionInfo) string {
	if text := plain(o.Example); text != string(o.Example) {
		return fmt.Sprintf("--set %s=%s", o.Name, text)
	}
	return fmt.Sprintf("--option %s='%s'", o.Name, o.Example)
}
