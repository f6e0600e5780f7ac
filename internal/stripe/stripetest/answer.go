package stripetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// kinds are Stripe's names of the objects that a path lists.
var kinds = map[string]string{
	"customers": "customer", "products": "product", "prices": "price", "subscriptions": "subscription",
	"invoices": "invoice", "payment_methods": "payment_method", "sessions": "checkout.session",
	"setup_intents": "setup_intent", "webhook_endpoints": "webhook_endpoint",
}

// answer answers a request that may be made.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if parts[0] == "checkout" {
		parts = parts[1:]
	}
	switch {
	case len(parts) == 1 && parts[0] == "events":
		s.listEvents(w, r)
	case len(parts) == 1 && kinds[parts[0]] != "":
		s.listObjects(w, r, kinds[parts[0]], "")
	case len(parts) == 3 && parts[0] == "customers" && parts[2] == "payment_methods":
		if c := s.objects[parts[1]]; c == nil || c.deleted {
			refuse(w, http.StatusNotFound, "resource_missing", "customer")
			return
		}
		s.listObjects(w, r, "payment_method", parts[1])
	case len(parts) == 2 && kinds[parts[0]] != "":
		s.retrieve(w, kinds[parts[0]], parts[1])
	default:
		refuse(w, http.StatusNotFound, "", "")
	}
}

func (s *Server) retrieve(w http.ResponseWriter, kind, id string) {
	o := s.objects[id]
	switch {
	case o == nil || o.kind != kind || (o.deleted && kind != "customer"):
		refuse(w, http.StatusNotFound, "resource_missing", "id")
	case o.deleted:
		fmt.Fprintf(w, `{"id":%q,"object":%q,"deleted":true}`, id, kind)
	default:
		_, _ = w.Write(o.payload)
	}
}

// entry is what a list shows.
type entry struct {
	id      string
	payload json.RawMessage
	matches bool // the filters of the request
}

func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	types := slices.Concat(q["types[]"], q["type"])
	within, ok := createdFilter(q)
	if len(q["types[]"]) > 20 || (len(q["types[]"]) > 0 && q.Has("type")) || !ok {
		refuse(w, http.StatusBadRequest, "parameter_invalid", "types")
		return
	}
	now := s.now()
	listed := slices.Clone(s.events)
	slices.SortFunc(listed, func(a, b event) int { // the newest first
		if a.created != b.created {
			return int(b.created - a.created)
		}
		return b.seq - a.seq
	})
	var entries []entry
	for _, e := range listed {
		if e.visibleAt.After(now) || e.created < now.Add(-memory).Unix() || e.created > now.Unix() {
			continue
		}
		named := len(types) == 0 || slices.ContainsFunc(types, func(pattern string) bool {
			fits, err := path.Match(pattern, e.kind)
			return err == nil && fits
		})
		entries = append(entries, entry{e.id, e.payload, named && within(e.created)})
	}
	writePage(w, r, entries)
}

func (s *Server) listObjects(w http.ResponseWriter, r *http.Request, kind, customer string) {
	q := r.URL.Query()
	within, ok := createdFilter(q)
	if !ok {
		refuse(w, http.StatusBadRequest, "parameter_invalid", "created")
		return
	}
	var listed []*object
	for _, o := range s.objects {
		if o.kind == kind && !o.deleted {
			listed = append(listed, o)
		}
	}
	slices.SortFunc(listed, func(a, b *object) int {
		if a.created != b.created {
			return int(b.created - a.created)
		}
		return b.seq - a.seq
	})
	var entries []entry
	for _, o := range listed {
		matches := within(o.created) && (customer == "" || o.customer == customer)
		if status := q.Get("status"); kind == "subscription" && status != "all" {
			matches = matches && (o.status == status || status == "" && o.status != "canceled")
		}
		entries = append(entries, entry{o.id, o.payload, matches})
	}
	writePage(w, r, entries)
}

// createdFilter reads created[gte] and its like.
func createdFilter(q url.Values) (within func(int64) bool, ok bool) {
	var tests []func(int64) bool
	for name, test := range map[string]func(bound int64) func(int64) bool{
		"gte": func(b int64) func(int64) bool { return func(c int64) bool { return c >= b } },
		"gt":  func(b int64) func(int64) bool { return func(c int64) bool { return c > b } },
		"lte": func(b int64) func(int64) bool { return func(c int64) bool { return c <= b } },
		"lt":  func(b int64) func(int64) bool { return func(c int64) bool { return c < b } },
	} {
		text := q.Get("created[" + name + "]")
		if text == "" {
			continue
		}
		bound, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, false
		}
		tests = append(tests, test(bound))
	}
	return func(created int64) bool {
		return !slices.ContainsFunc(tests, func(test func(int64) bool) bool { return !test(created) })
	}, true
}

// writePage answers with the part of the entries that the cursor and the limit
// of the request name. A cursor that is not in the list is an error, even if the
// filters would leave it out.
func writePage(w http.ResponseWriter, r *http.Request, entries []entry) {
	q := r.URL.Query()
	limit := 10
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			refuse(w, http.StatusBadRequest, "parameter_invalid_integer", "limit")
			return
		}
		limit = n
	}
	after, before := q.Get("starting_after"), q.Get("ending_before")
	if after != "" && before != "" {
		refuse(w, http.StatusBadRequest, "parameter_invalid", "starting_after")
		return
	}
	for name, cursor := range map[string]string{"starting_after": after, "ending_before": before} {
		if cursor == "" {
			continue
		}
		i := slices.IndexFunc(entries, func(e entry) bool { return e.id == cursor })
		switch {
		case i < 0:
			refuse(w, http.StatusBadRequest, "resource_missing", name)
			return
		case name == "starting_after":
			entries = entries[i+1:]
		default:
			entries = entries[:i]
		}
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return !e.matches })
	more := len(entries) > limit
	if more && before != "" { // those next to the cursor
		entries = entries[len(entries)-limit:]
	} else if more {
		entries = entries[:limit]
	}
	// Not by package json, which would change the bytes of the payloads.
	fmt.Fprintf(w, `{"object":"list","url":%q,"has_more":%t,"data":[`, r.URL.Path, more)
	for i, e := range entries {
		if i > 0 {
			_, _ = w.Write([]byte(","))
		}
		_, _ = w.Write(e.payload)
	}
	_, _ = w.Write([]byte("]}"))
}
