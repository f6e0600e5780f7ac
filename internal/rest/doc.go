// Package rest owns what every HTTP answer of QuoteKit has in common: problem
// documents for errors, the request id, the headers, the log line, and who the
// caller is. It knows no endpoint.
package rest
