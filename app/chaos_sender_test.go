package app_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// stripeSender delivers events as Stripe does: what is not answered with a 2xx
// comes again later, newly signed, and now and then what was acknowledged comes
// once more. Unlike Stripe it waits for seconds, not hours.
type stripeSender struct {
	t      testing.TB
	random *rand.Rand
	events [][]byte // those that are still to come

	mu       sync.Mutex
	urls     []string // where a delivery may go
	rate     int      // new events a second
	waiting  []sending
	underway int
	sent     [][]byte
	acked    map[string]int    // 200s by event id
	answers  map[string]int    // how often each answer was given
	lastOK   time.Time         // when the latest delivery that was acknowledged began
	wrong    map[string]string // answers that nobody may give, with an event each
}

// sending is a delivery to be made.
type sending struct {
	body     []byte
	due      time.Time
	attempts int
	copy     bool // of an event that was acknowledged before
}

const (
	// senders bounds the deliveries under way.
	senders = 48
	// maxRate bounds the deliveries a second, redeliveries and copies included.
	maxRate = 150
)

func newStripeSender(t testing.TB, events [][]byte, urls ...string) *stripeSender {
	events = slices.Clone(events)
	for window := range slices.Chunk(events, 300) { // out of order, but not all of it
		rand.Shuffle(len(window), func(i, j int) { window[i], window[j] = window[j], window[i] })
	}
	return &stripeSender{
		t: t, random: rand.New(rand.NewPCG(rand.Uint64(), 1)), events: events, urls: urls,
		acked: map[string]int{}, answers: map[string]int{}, wrong: map[string]string{},
	}
}

// run delivers until stop is closed.
func (s *stripeSender) run(stop <-chan struct{}) {
	var (
		work    sync.WaitGroup
		slots   = make(chan struct{}, senders)
		started = time.Now()
		tick    = time.NewTicker(20 * time.Millisecond)
		last    = started
		news    float64 // events that are due to come
		budget  float64 // deliveries that the rate allows
	)
	defer work.Wait()
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		now := time.Now()
		took := now.Sub(last).Seconds()
		last = now
		s.mu.Lock()
		for news += took * float64(s.rate); news >= 1 && len(s.events) > 0; news-- {
			s.waiting = append(s.waiting, sending{body: s.events[0]})
			s.sent, s.events = append(s.sent, s.events[0]), s.events[1:]
		}
		slices.SortStableFunc(s.waiting, func(a, b sending) int { return a.due.Compare(b.due) })
		budget = min(budget+took*maxRate, maxRate/10)
		for budget >= 1 && len(s.waiting) > 0 && !s.waiting[0].due.After(now) && s.underway < senders {
			d := s.waiting[0]
			s.waiting = s.waiting[1:]
			s.underway++
			budget--
			slots <- struct{}{}
			work.Go(func() {
				s.deliver(d)
				<-slots
			})
		}
		s.mu.Unlock()
	}
}

func (s *stripeSender) deliver(d sending) {
	s.mu.Lock()
	url := s.urls[s.random.IntN(len(s.urls))]
	s.mu.Unlock()
	began := time.Now()
	var retryAfter string
	a, err := send(url, d.body, func(_ *http.Request, r *http.Response, _ []byte) { retryAfter = r.Header.Get("Retry-After") })
	id := gjson.GetBytes(d.body, "id").Str

	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway--
	text := cmp.Or(a.Status, a.Code)
	if err != nil {
		text = "no answer"
	}
	s.answers[fmt.Sprintf("%d %s", a.HTTP, text)]++
	switch {
	case a.HTTP == http.StatusOK:
		if a.EventID != id || (a.Status != "succeeded" && a.Status != "pending") {
			s.wrong[fmt.Sprintf("%d %s", a.HTTP, text)] = id
		}
		s.acked[id]++
		if began.After(s.lastOK) {
			s.lastOK = began
		}
		if !d.copy && s.random.IntN(8) == 0 {
			s.waiting = append(s.waiting, sending{d.body, began.Add(s.between(0, 8)), 0, true})
		}
		return
	case err == nil && (a.HTTP != http.StatusServiceUnavailable || a.Code != "unavailable" || retryAfter == ""):
		s.wrong[fmt.Sprintf("%d %s", a.HTTP, text)] = id
	}
	d.attempts++
	wait := min(d.attempts, 4)
	d.due = time.Now().Add(s.between(wait, 3*wait))
	s.waiting = append(s.waiting, d)
}

// between is a time of so many seconds.
func (s *stripeSender) between(least, most int) time.Duration {
	return time.Duration((float64(least) + s.random.Float64()*float64(most-least)) * float64(time.Second))
}

func (s *stripeSender) setRate(rate int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = rate
}

func (s *stripeSender) setURLs(urls ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urls = urls
}

// okSince reports whether a delivery that began after an instant was acknowledged.
func (s *stripeSender) okSince(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastOK.After(at)
}

// left is how many deliveries are still to be made.
func (s *stripeSender) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) + s.underway
}

// summary tells which answers were given how often.
func (s *stripeSender) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("%d events", len(s.sent))
	for _, answer := range slices.Sorted(maps.Keys(s.answers)) {
		text += fmt.Sprintf(", %s: %d", answer, s.answers[answer])
	}
	return text
}
