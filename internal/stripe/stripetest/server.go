package stripetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Key is the secret key that the server knows.
const Key = "sk_test_of_the_fake"

// memory is how long an event is listed.
const memory = 30 * 24 * time.Hour

// Server is a fake of Stripe's API.
type Server struct {
	URL string

	t   testing.TB
	now func() time.Time

	mu      sync.Mutex
	events  []event
	objects map[string]*object
	faults  []Fault
	before  func(*http.Request)
	asked   []Request
	seq     int
}

// event is an event as it is listed.
type event struct {
	id, kind  string
	created   int64
	visibleAt time.Time // zero: always
	seq       int       // in order of happening
	payload   json.RawMessage
}

// object is the current state of an object.
type object struct {
	id, kind string
	customer string
	status   string
	created  int64
	deleted  bool
	seq      int
	payload  json.RawMessage
}

// Request is one that was made.
type Request struct {
	Path  string
	Query string // decoded, for people
	At    time.Time
}

// Fault is what happens to a request instead of an answer. The zero value is
// no fault.
type Fault struct {
	Status     int
	Code       string // of Stripe's error
	RetryAfter string // the header; empty: none
	// Cut ends the connection in the middle of an answer.
	Cut bool
}

// New starts a server whose clock is now.
func New(t testing.TB, now func() time.Time) *Server {
	s := &Server{t: t, now: now, objects: map[string]*object{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Happen tells of events, in the order in which they happened.
func (s *Server) Happen(bodies ...[]byte) { s.HappenLate(time.Time{}, bodies...) }

// HappenLate is like [Server.Happen], but the events can be seen in the list only
// from an instant on.
func (s *Server) HappenLate(visibleAt time.Time, bodies ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, body := range bodies {
		var e struct {
			ID      string `json:"id"`
			Type    string `json:"type"`
			Created int64  `json:"created"`
			Data    struct {
				Object json.RawMessage `json:"object"`
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &e); err != nil {
			s.t.Fatalf("an event of the fake is not JSON: %v", err)
		}
		s.seq++
		s.events = append(s.events, event{e.ID, e.Type, e.Created, visibleAt, s.seq, slices.Clone(body)})
		s.put(e.Data.Object, strings.HasSuffix(e.Type, ".deleted") && e.Type != "customer.subscription.deleted")
	}
}

// Put sets the current state of an object, without an event.
func (s *Server) Put(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	s.put(body, false)
}

func (s *Server) put(body json.RawMessage, deleted bool) {
	var o struct {
		ID       string          `json:"id"`
		Object   string          `json:"object"`
		Created  int64           `json:"created"`
		Status   string          `json:"status"`
		Customer json.RawMessage `json:"customer"`
	}
	if json.Unmarshal(body, &o) != nil || o.ID == "" {
		return // an object without an id cannot be asked for
	}
	var customer string
	_ = json.Unmarshal(o.Customer, &customer) // null and expanded ones belong to nobody's list
	at := s.seq
	if old := s.objects[o.ID]; old != nil {
		at = old.seq
	}
	s.objects[o.ID] = &object{o.ID, o.Object, customer, o.Status, o.Created, deleted, at, slices.Clone(body)}
}

// Forget removes an event from the list, as time does.
func (s *Server) Forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.id == id })
}

// Fail lets the next requests fail, one after the other.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Before calls f at the beginning of each request. It may block.
func (s *Server) Before(f func(*http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Requests returns the requests made so far to paths that begin with prefix.
func (s *Server) Requests(prefix string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.asked), func(r Request) bool { return !strings.HasPrefix(r.Path, prefix) })
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	query := strings.NewReplacer("%5B", "[", "%5D", "]").Replace(r.URL.RawQuery)
	s.asked = append(s.asked, Request{r.URL.Path, query, s.now()})
	var fault Fault
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(r)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Request-Id", "req_fake")
	switch {
	case fault.Cut:
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"object":`))
		_ = http.NewResponseController(w).Flush() // or else the client asks again by itself
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		refuse(w, fault.Status, fault.Code, "")
	case r.Header.Get("Authorization") != "Bearer "+Key:
		refuse(w, http.StatusUnauthorized, "", "")
	case r.Method != http.MethodGet || r.Header.Get("Stripe-Version") == "":
		refuse(w, http.StatusBadRequest, "parameter_invalid", "")
	default:
		s.answer(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code, param string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"type":"invalid_request_error","code":%q,"param":%q,"message":"of the fake"}}`, code, param)
}
