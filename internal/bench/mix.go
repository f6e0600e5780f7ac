package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
)

// rareEvery is one in how many events is of a type that no story has.
const rareEvery = 40

// Mix makes events as they come to an application with many customers: whole stories
// of sample users, side by side, of which each is somewhere in its middle. Every type
// that has a route occurs, also those that are in no story. It is not safe for
// concurrent use.
type Mix struct {
	random *rand.Rand
	maker  *sample.Maker
	open   [][]sample.Event
	rare   []string
	made   int
}

// NewMix returns a mix of so many stories at a time, each about ten objects, for a table
// of routes. The same seed at the same time tells the same stories; their events come
// when now says. It fails if a routed type is one that package sample cannot make.
func NewMix(seed uint64, stories int, routes []quotekit.Route, now func() time.Time) (*Mix, error) {
	m := &Mix{
		random: rand.New(rand.NewPCG(seed, 1)),
		maker:  sample.New(rand.NewPCG(seed, 2), now),
		open:   make([][]sample.Event, stories),
	}
	told := map[string]bool{}
	for i := range m.open {
		story := m.maker.Journey()
		for _, e := range story {
			told[e.Type] = true
		}
		m.open[i] = story[m.random.IntN(len(story)):]
	}
	known := sample.Types()
	for _, r := range routes {
		switch {
		case told[r.Type]:
		case slices.Contains(known, r.Type):
			m.rare = append(m.rare, r.Type)
		default:
			return nil, fmt.Errorf("there is no sample of event type %s, which has a route", r.Type)
		}
	}
	return m, nil
}

// Take makes the next n events.
func (m *Mix) Take(n int) ([]sample.Event, error) {
	events := make([]sample.Event, n)
	for i := range events {
		var err error
		if events[i], err = m.next(); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func (m *Mix) next() (sample.Event, error) {
	m.made++
	if len(m.rare) > 0 && m.made%rareEvery == 0 {
		return m.single(m.rare[m.made/rareEvery%len(m.rare)])
	}
	i := m.random.IntN(len(m.open))
	if len(m.open[i]) == 0 {
		m.open[i] = m.maker.Journey()
	}
	e := m.open[i][0]
	m.open[i] = m.open[i][1:]
	// The story is told as one of the past; its events arrive now, and their ids say so.
	return m.maker.WithNewID(e)
}

// single makes an event about objects of its own.
func (m *Mix) single(eventType string) (sample.Event, error) {
	body, err := m.maker.Event(eventType)
	if err != nil {
		return sample.Event{}, err
	}
	return sample.Event{
		ID: gjson.GetBytes(body, "id").Str, Type: eventType, Body: body,
		Created: gjson.GetBytes(body, "created").Int(), ObjectID: gjson.GetBytes(body, "data.object.id").Str,
	}, nil
}
