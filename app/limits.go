package app

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/rest"
)

// maxInFlight is how many requests are worked on at once, if the configuration
// does not say.
const maxInFlight = 2000

// maxScrapes is how many requests for /metrics are worked on at once. They have a
// share of their own, since it is when there is no room that figures are wanted.
const maxScrapes = 8

// share is that of a kind of requests.
type share struct {
	kind string
	*rest.Share
}

// shareOf parts the requests in flight, so that a flood of one kind leaves room for
// the others: six tenths for Stripe's deliveries, which wait for a commit; three
// for everybody else; and one for streams, each of which stays for long. What
// belongs to whom is said before anything is known of the caller.
func (a *App) shareOf(mux *http.ServeMux, r *rest.Router) func(*http.Request) *rest.Share {
	most := cmp.Or(a.config.MaxInFlight, maxInFlight)
	add := func(kind string, most int) *rest.Share {
		s := rest.NewShare(max(1, most))
		a.shares = append(a.shares, share{kind, s})
		return s
	}
	webhooks, others, streams := add("webhook", most*6/10), add("other", most*3/10), add("stream", most/10)
	scrapes := add("metrics", maxScrapes)
	return func(req *http.Request) *rest.Share {
		switch {
		case isHealthCheck(req):
			return nil
		case isWebhook(req):
			return webhooks
		case isScrape(req):
			return scrapes
		}
		if _, pattern := mux.Handler(req); r.Streams(pattern) || req.URL.Path == dashboard.StreamPath {
			return streams
		}
		return others
	}
}

// timeouts bound what a client can make the service wait for.
type timeouts struct {
	// headers and request bound the time from the first byte to the end of the
	// headers, and to the end of the body.
	headers, request time.Duration
	// answer bounds the time from the end of the headers to the end of the answer.
	// Streams set their own.
	answer time.Duration
	// idle is how long a connection may wait for its next request.
	idle time.Duration
}

// patience is that of the service. A delivery has a body of a megabyte at most,
// and its answer may have to wait for two groups.
var patience = timeouts{headers: 5 * time.Second, request: 10 * time.Second, answer: time.Minute, idle: 2 * time.Minute}

// maxHeaders is for a signature header of many secrets, in bytes.
const maxHeaders = 256 << 10

func newServer(handler http.Handler, t timeouts, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: t.headers,
		ReadTimeout:       t.request,
		WriteTimeout:      t.answer,
		IdleTimeout:       t.idle,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
