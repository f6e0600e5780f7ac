package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// Shape has a field of every kind that the schemas treat in a way of their own.
type Shape struct {
	Price    quotekit.Cents       `json:"price"`
	Rate     *quotekit.Rate       `json:"rate"`
	At       quotekit.Timestamp   `json:"at"`
	Until    *time.Time           `json:"until"`
	Status   quotekit.EventStatus `json:"status" doc:"Where it stands."`
	Reason   *quotekit.ItemCode   `json:"reason"`
	Color    *string              `json:"color" enum:"red,blue"`
	Any      json.RawMessage      `json:"any"`
	Optional string               `json:"optional,omitempty"`
	List     []string             `json:"list"`
	Parent   *Shape               `json:"parent"`
	Counts   map[string]int       `json:"counts"`
	Pages    rest.Page[RowRecord] `json:"pages"`
}

// RowRecord is named like a row of the store.
type RowRecord struct {
	ID string `json:"id" format:"uuid"`
}

// ShapeRequest is a body.
type ShapeRequest struct {
	Name string `json:"name"`
}

func okay(http.ResponseWriter, *http.Request) {}

// document returns what the router says of one endpoint.
func document(t *testing.T, pattern string, who rest.Access, e rest.Endpoint) gjson.Result {
	t.Helper()
	r := rest.NewRouter(http.NewServeMux(), "1.2.3")
	e.ID, e.Summary, e.Tag, e.Handler = "doIt", "Do it", "tests", http.HandlerFunc(okay)
	r.Add(pattern, who, e)
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	return gjson.ParseBytes(r.Document())
}

func TestRouter_Schemas(t *testing.T) {
	doc := document(t, "GET /v1/shapes", rest.Access{}, rest.Endpoint{Answers: rest.Answers{200: {JSON: Shape{}}}})
	for field, want := range map[string]string{
		"price":    `{"type":"string","examples":["12.50"],"pattern":"^-?[0-9]+\\.[0-9]{2}$"}`,
		"rate":     `{"type":["string","null"],"examples":["19.00"],"pattern":"^-?[0-9]+\\.[0-9]{2,4}$"}`,
		"at":       `{"type":"string","format":"date-time"}`,
		"until":    `{"type":["string","null"],"format":"date-time"}`,
		"status":   `{"type":"string","description":"Where it stands.","enum":["pending","succeeded","ignored","dead"]}`,
		"reason":   `{"type":["string","null"],"enum":["not_found","duplicate","unchanged","invalid","out_of_range","conflict","changed_since",null]}`,
		"color":    `{"type":["string","null"],"enum":["red","blue",null]}`,
		"any":      `{}`,
		"optional": `{"type":"string"}`,
		"list":     `{"type":"array","items":{"type":"string"}}`,
		"parent":   `{"anyOf":[{"$ref":"#/components/schemas/Shape"},{"type":"null"}]}`,
		"counts":   `{"type":"object","additionalProperties":{"type":"integer","format":"int64"}}`,
		"pages":    `{"$ref":"#/components/schemas/RowPage"}`,
	} {
		got := doc.Get("components.schemas.Shape.properties." + field).Get("@ugly").Raw
		if !sameJSON(got, want) {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
	required := doc.Get("components.schemas.Shape.required").String()
	if strings.Contains(required, "optional") || !strings.Contains(required, "parent") {
		t.Errorf("required = %s", required)
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

func TestRouter_Operation(t *testing.T) {
	doc := document(t, "POST /v1/shapes/{shape_id}", rest.Operators(nil, rest.RoleOperator), rest.Endpoint{
		Doc:    "More.",
		Path:   []rest.Param{{Name: "shape_id", Doc: "Which."}},
		Query:  rest.ListParams(),
		Header: []rest.Param{{Name: "Prefer", Doc: "`wait=N`"}},
		Body:   &rest.Body{Type: ShapeRequest{}},
		Answers: rest.Answers{
			202: {JSON: ShapeRequest{}, Headers: []rest.Param{{Name: "Location", Required: true}}},
			200: {JSON: rest.Page[ShapeRequest]{}, Text: []string{"text/csv", "application/x-ndjson"}},
			400: {Doc: "So wrong.", JSON: rest.Problem{}},
		},
		Problems: []int{400, 404},
	})
	op := doc.Get(`paths./v1/shapes/{shape_id}.post`)
	for path, want := range map[string]string{
		"description":                                "More.\n\nNeeds the role operator.",
		"parameters.0.name":                          "shape_id",
		"parameters.0.in":                            "path",
		"parameters.0.required":                      "true",
		"parameters.1.name":                          "limit",
		"parameters.1.schema":                        `{"format":"int64","maximum":200,"minimum":1,"type":"integer"}`,
		"parameters.3.in":                            "header",
		"requestBody.required":                       "true",
		"security.0":                                 `{"operatorToken":[]}`,
		"responses.400.$ref":                         "",
		"responses.404.$ref":                         "#/components/responses/Problem404",
		"responses.401.$ref":                         "#/components/responses/Problem401",
		"responses.403.$ref":                         "#/components/responses/Problem403",
		"responses.500.$ref":                         "#/components/responses/Problem500",
		"responses.400.description":                  "So wrong.",
		"responses.202.headers.Location.required":    "true",
		"responses.200.content.text/csv.schema.type": "string",
		"responses.200.content.application/x-ndjson.schema.type":     "string",
		"responses.200.content.application/json.schema.$ref":         "#/components/schemas/ShapeRequestPage",
		`responses.400.content.application/problem+json.schema.$ref`: "#/components/schemas/Problem",
	} {
		got := op.Get(path)
		if got.String() != want && !sameJSON(got.Raw, want) {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
	if closed := doc.Get("components.schemas.ShapeRequest.additionalProperties").Raw; closed != "false" {
		t.Errorf("a body has additionalProperties %q, want false", closed)
	}
}

func TestRouter_RefusesHalfADescription(t *testing.T) {
	whole := rest.Endpoint{
		ID: "doIt", Summary: "Do it", Tag: "tests", Handler: http.HandlerFunc(okay), Answers: rest.Answers{204: {}},
	}
	for name, spoil := range map[string]func(e *rest.Endpoint, pattern *string){
		"no id":         func(e *rest.Endpoint, _ *string) { e.ID = "" },
		"no summary":    func(e *rest.Endpoint, _ *string) { e.Summary = "" },
		"no answer":     func(e *rest.Endpoint, _ *string) { e.Answers = nil },
		"no handler":    func(e *rest.Endpoint, _ *string) { e.Handler = nil },
		"no method":     func(_ *rest.Endpoint, pattern *string) { *pattern = "/v1/x" },
		"the same id":   func(*rest.Endpoint, *string) {},
		"a wrong param": func(e *rest.Endpoint, _ *string) { e.ID = "x"; e.Path = []rest.Param{{Name: "id"}} },
		"no name": func(e *rest.Endpoint, _ *string) {
			e.ID, e.Answers = "x", rest.Answers{200: {JSON: struct{ A int }{}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rest.NewRouter(http.NewServeMux(), "1")
			r.Add("GET /v1/whole", rest.Access{}, whole)
			e, pattern := whole, "GET /v1/x"
			spoil(&e, &pattern)
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			r.Add(pattern, rest.Access{}, e)
		})
	}
}
