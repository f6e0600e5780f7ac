package rest

import "net/http"

// Endpoint is a handler and what /openapi.json says about it. Features return
// endpoints; app/routes.go gives each its URL and says who may call it. From
// there come the path parameters, the security and the problems 401 and 403;
// the header X-Request-Id and the problems 500 and 503 are everybody's.
type Endpoint struct {
	Handler http.Handler

	// ID is the operationId: a verb and its object, like listEvents. Programs
	// that generate clients make function names of it, so it does not change.
	ID string
	// Summary is one line without a full stop; Doc says more, in Markdown.
	Summary, Doc string
	// Tag groups endpoints.
	Tag string

	// Path describes parameters of the URL pattern, as far as their names do
	// not say enough. They are required, and need not be listed.
	Path   []Param
	Query  []Param
	Header []Param
	// Body is what the request carries; nil is none.
	Body *Body
	// Answers are those of success, and problems that need words or headers.
	Answers Answers
	// Problems are the statuses of the other problem documents.
	Problems []int

	// AllMethods passes requests of every method to the handler, which refuses
	// them itself.
	AllMethods bool
}

// Param is a parameter of a request or a header of an answer.
type Param struct {
	Name, Doc string
	// Type is a value whose Go type gives the schema: false, 0, time.Time{},
	// uuid.UUID{}, quotekit.EventStatus(""). Nil is a string.
	Type any
	// Enum lists the values of a string, if its type does not.
	Enum []string
	// Min and Max bound a number; Max zero is no bound.
	Min, Max int
	Required bool
}

// Body is the body of a request. A handler refuses fields it does not know, and
// so does the schema, unless the type has a field
//
//	_ struct{} `additionalProperties:"true"`
type Body struct {
	// Type is a value whose Go type gives the schema.
	Type any
	Doc  string
	// Media is the media type; empty is application/json.
	Media string
	// Optional says that the body may be missing.
	Optional bool
}

// Answers are answers by status.
type Answers map[int]Answer

// Answer is what an endpoint answers with one status.
type Answer struct {
	Doc string
	// JSON is a value whose Go type gives the schema of an application/json
	// body, or, if it is a [Problem], of application/problem+json.
	JSON any
	// Text are further media types that the answer may have, like text/csv.
	// Without JSON and Text the answer has no body.
	Text []string
	// Headers are those beside X-Request-Id.
	Headers []Param
}

// As returns e under another ID, for a second URL: each operationId is of one.
func (e Endpoint) As(id string) Endpoint {
	e.ID = id
	return e
}
