package batch

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// UndoOperation is the name of a job that takes back another. It is not in the
// table of operations, since nobody can ask for it by name.
const UndoOperation = "undo"

// item is one item of a job.
type item struct {
	position int
	// id is that of the row; a create has none.
	id string
	// object is what a create makes a row of.
	object json.RawMessage
	// parent is the item's position in the job that an undo takes back.
	parent int
	// verdict is what became of the item without asking the database.
	verdict *store.ItemResult
}

// undoItem is an item of an undo, as it is stored.
type undoItem struct {
	Position int    `json:"position"`
	ItemID   string `json:"item_id"`
}

// readItems reads the items of a request. A problem is one of the request, which
// is refused for it.
func readItems(kind quotekit.OperationKind, raw []json.RawMessage) (items []item, problems []quotekit.FieldError) {
	items = make([]item, len(raw))
	seen := make(map[string]bool, len(raw))
	for i, value := range raw {
		it := item{position: i}
		var problem string
		if kind == quotekit.OperationCreate {
			it.object, problem = readObject(value)
		} else {
			it.id, problem = readID(value)
		}
		if problem != "" {
			problems = append(problems, quotekit.FieldError{Field: fmt.Sprintf("items[%d]", i), Message: problem})
			continue
		}
		if it.id != "" && seen[it.id] {
			it.verdict = &store.ItemResult{
				Position: i, ItemID: it.id, Outcome: quotekit.Skipped, Code: quotekit.ItemDuplicate,
				Message: "the same id stands earlier in the list",
			}
		}
		seen[it.id] = true
		items[i] = it
	}
	return items, problems
}

func readID(value json.RawMessage) (id, problem string) {
	if len(value) == 0 || value[0] != '"' {
		return "", "want an id, a string; got " + jsonKind(value)
	}
	id = string(value[1 : len(value)-1])
	if strings.Contains(id, `\`) { // a UUID has nothing to escape, but somebody may have done it
		_ = json.Unmarshal(value, &id) // valid, as part of a request that was read
	}
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return "", fmt.Sprintf("%.50q is no UUID", id)
	}
	return parsed.String(), ""
}

func readObject(value json.RawMessage) (object json.RawMessage, problem string) {
	if len(value) == 0 || value[0] != '{' {
		return nil, "want an object; got " + jsonKind(value)
	}
	return value, ""
}

// jsonKind names what a JSON value is, for people.
func jsonKind(value json.RawMessage) string {
	switch text := strings.TrimSpace(string(value)); {
	case text == "":
		return "nothing"
	case text == "null":
		return "null"
	case text == "true", text == "false":
		return "a boolean"
	case text[0] == '"':
		return "a string"
	case text[0] == '{':
		return "an object"
	case text[0] == '[':
		return "an array"
	}
	return "a number"
}

// readUndoItems reads the items of an undo.
func readUndoItems(raw []json.RawMessage) ([]item, error) {
	items := make([]item, len(raw))
	for i, value := range raw {
		var u undoItem
		if err := json.Unmarshal(value, &u); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		items[i] = item{position: i, id: u.ItemID, parent: u.Position}
	}
	return items, nil
}
