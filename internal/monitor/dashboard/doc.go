// Package dashboard shows what package monitor knows as pages, for people with a
// browser. It imports monitor, asks the same [monitor.Reads] as the JSON under
// /v1/monitor, and decides nothing itself.
//
// # A page
//
// A page is three things: a function in Go, a template, and a row in the table of
// pages.go.
//
//	{Pattern: "GET /dashboard/alerts", Title: "Alerts", Nav: "alerts", Role: rest.RoleViewer,
//	  Template: "alerts", Handle: (*Dashboard).alerts}
//
// The function (alerts.go) reads, and returns an [Answer]: the data of the template,
// and, if the page shows what an endpoint answers, the same value as JSON and the
// path of that endpoint. The template (templates/alerts.html) defines "content", and
// may use the partials of templates/parts.html and the functions of funcs.go. The
// layout around it is templates/layout.html.
//
// An act is a row with POST, a form in a page, and a function that acts and returns
// an Answer with To and Done: the browser is sent there (303) and is told what was
// done. An act whose answer is a page of its own, like a preview, returns Data.
// Errors are returned; serve.go makes a page of them with the status that the API
// would answer.
//
// # A request
//
// [Dashboard.ServeHTTP] takes every request below /dashboard:
//
//	cross-origin protection → session → role of the row → read or act → render
//
// A page is rendered whole before the first byte is sent. A stranger gets the login
// page with 401, whatever the path, and is led to where he wanted to go afterwards.
//
// # Live
//
// Everything works without JavaScript. With it, static/dashboard.js listens to
// /dashboard/stream, which tells topics that have changed, fetches the same URL
// again (304 if it is the same), and replaces the elements with data-live by those
// of the same id in the answer. It leaves alone what is under the pointer or has the
// focus, and where the list of data-live="list" has grown, it offers to load instead.
// Where an element with data-live="until" is gone, it loads the page anew: what stands
// in its place has other elements.
// One poller in the process looks for changes while somebody listens (watch.go).
//
// # Security
//
// Sessions are rows of dashboard_sessions (session.go, login.go); no page is cached;
// nothing is inline, neither style nor script, so that the policy of package rest
// holds. No GET changes anything but when a session was last seen.
package dashboard
