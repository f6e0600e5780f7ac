// Package rest owns what every HTTP answer of QuoteKit has in common: problem
// documents for errors, the request id, the headers, the log line, and who the
// caller is; and how an endpoint says what it takes and answers, of which it makes
// /openapi.json. It knows no endpoint.
package rest
