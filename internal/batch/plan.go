package batch

import (
	"encoding/json"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// catalog is the table of operations by name.
type catalog struct {
	list   []quotekit.Operation
	byName map[string]quotekit.Operation
}

// newCatalog checks the table.
func newCatalog(list []quotekit.Operation) (catalog, error) {
	c := catalog{list: list, byName: map[string]quotekit.Operation{}}
	for _, o := range list {
		_, twice := c.byName[o.Name]
		switch {
		case o.Name == "" || o.Name == UndoOperation:
			return c, fmt.Errorf("table of operations: the name %q cannot be used", o.Name)
		case twice:
			return c, fmt.Errorf("table of operations: %s stands twice", o.Name)
		case o.Prepare == nil && o.Kind != quotekit.OperationDelete:
			return c, fmt.Errorf("table of operations: %s has no Prepare", o.Name)
		case o.Kind == quotekit.OperationUpdate && len(o.Columns) == 0:
			return c, fmt.Errorf("table of operations: %s names no columns", o.Name)
		case store.ShownColumns(o.Table) == nil:
			return c, fmt.Errorf("table of operations: %s works on the unknown table %q", o.Name, o.Table)
		}
		c.byName[o.Name] = o
	}
	return c, nil
}

// plan is a job that can be worked on.
type plan struct {
	work      store.BatchWork
	operation quotekit.Operation // of an undo, that of its parent
	step      quotekit.Step
	undo      bool
	items     []item
}

// undoOptions are the options of an undo.
type undoOptions struct {
	Operation string `json:"operation"`
}

// plan reads a stored job. An error means that it cannot run with this program.
func (c catalog) plan(work store.BatchWork) (*plan, error) {
	p := &plan{work: work, undo: work.Operation == UndoOperation}
	name := work.Operation
	var raw []json.RawMessage
	if err := json.Unmarshal(work.Items, &raw); err != nil {
		return nil, fmt.Errorf("read the items: %w", err)
	}
	if p.undo {
		var o undoOptions
		if err := json.Unmarshal(work.Options, &o); err != nil {
			return nil, fmt.Errorf("read the options: %w", err)
		}
		name = o.Operation
	}
	var ok bool
	if p.operation, ok = c.byName[name]; !ok {
		return nil, fmt.Errorf("this program knows no operation %s", name)
	}
	if p.undo {
		var err error
		p.items, err = readUndoItems(raw)
		return p, err
	}
	var options map[string]json.RawMessage
	if err := json.Unmarshal(work.Options, &options); err != nil {
		return nil, fmt.Errorf("read the options: %w", err)
	}
	var problems []quotekit.FieldError
	if p.step, problems = prepare(p.operation, options); len(problems) == 0 {
		p.items, problems = readItems(p.operation.Kind, raw)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s", problems[0].Field, problems[0].Message)
	}
	return p, nil
}

// prepare reads the options of an operation.
func prepare(o quotekit.Operation, options map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
	if o.Prepare == nil {
		return quotekit.Step{}, nil
	}
	return o.Prepare(options)
}

// itemIDs are the ids of all items in the order of the request.
func (p *plan) itemIDs() []string {
	ids := make([]string, len(p.items))
	for i, it := range p.items {
		ids[i] = it.id
	}
	return ids
}
