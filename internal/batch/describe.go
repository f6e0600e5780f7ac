package batch

import (
	"encoding/json"
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// OperationInfo describes an operation.
type OperationInfo struct {
	Name     string                 `json:"name"`
	Summary  string                 `json:"summary"`
	Kind     quotekit.OperationKind `json:"kind" doc:"A create takes objects, all others ids."`
	Table    string                 `json:"table"`
	MaxItems int                    `json:"max_items"`
	Options  []OptionInfo           `json:"options"`
}

// OptionInfo describes an option of an operation.
type OptionInfo struct {
	Name     string          `json:"name"`
	Summary  string          `json:"summary"`
	Required bool            `json:"required"`
	Example  json.RawMessage `json:"example"`
}

// ListOperations lists what can be submitted.
func (s *Service) ListOperations() rest.Endpoint {
	return rest.Endpoint{
		ID: "listOperations", Summary: "The bulk operations and their options", Tag: tag,
		Answers: rest.Answers{http.StatusOK: {JSON: rest.Page[OperationInfo]{}}},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			rest.WritePage(w, r, Describe(s.catalog.list), "")
			return nil
		}),
	}
}

// Describe describes operations as the API does.
func Describe(list []quotekit.Operation) []OperationInfo {
	infos := make([]OperationInfo, len(list))
	for i, o := range list {
		infos[i] = OperationInfo{
			Name: o.Name, Summary: o.Summary, Kind: o.Kind, Table: string(o.Table), MaxItems: o.Limit(), Options: []OptionInfo{},
		}
		for _, option := range o.Options {
			infos[i].Options = append(infos[i].Options, OptionInfo{
				Name: option.Name, Summary: option.Summary, Required: option.Required, Example: json.RawMessage(option.Example),
			})
		}
	}
	return infos
}
