package sample

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Event is one Stripe event as it would stand in the body of a request.
type Event struct {
	ID   string
	Type string
	// Created is the event's time in Unix seconds.
	Created int64
	// ObjectID is the id of data.object.
	ObjectID string
	Body     []byte
}

// Maker makes events. It is not safe for concurrent use.
type Maker struct {
	rand      *rand.Rand
	now       func() time.Time
	templates map[string]*template
	// stories counts the stories told, so that they differ in turn.
	stories int
}

// New returns a maker whose ids and choices come from src and whose events end
// at the time that now tells.
func New(src rand.Source, now func() time.Time) *Maker {
	return &Maker{rand: rand.New(src), now: now, templates: loadTemplates()}
}

// Types lists the event types that [Maker.Event] can make, sorted.
func Types() []string {
	types := make([]string, 0, len(recipes()))
	for t := range recipes() {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// Event makes one event of a type that happened just now, about objects that
// nobody has heard of before.
func (m *Maker) Event(eventType string) ([]byte, error) {
	recipe, ok := recipes()[eventType]
	if !ok {
		return nil, fmt.Errorf("no sample of event type %q", eventType)
	}
	s := m.story(m.uuid(), plotOf(0), m.now().Unix())
	s.hurried = true
	s.only = eventType
	recipe(s)
	last := s.events[len(s.events)-1]
	return last.Body, nil
}

// Journey tells the story of one new user, from the products on offer to the
// last event, in the order in which things happened; all of it lies in the
// past. Some events share a second. Stories differ: of any [Plots] in a row,
// every one is told once.
func (m *Maker) Journey() []Event { return m.JourneyOf(m.uuid()) }

// JourneyOf tells the next story about a given user of the application.
func (m *Maker) JourneyOf(userID string) []Event {
	p := plotOf(m.stories)
	m.stories++
	s := m.story(userID, p, m.now().Unix()-longest)
	s.tell()
	return s.events
}

// Set changes an event's JSON at a path like data.object.status. The value is
// taken as JSON if it is JSON, and else as a string.
func Set(body []byte, path, value string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("set: the path is empty")
	}
	var out []byte
	var err error
	if gjson.Valid(value) {
		out, err = sjson.SetRawBytes(body, path, []byte(value))
	} else {
		out, err = sjson.SetBytes(body, path, value)
	}
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	return out, nil
}

// NewEventID makes an event id that no other event has.
func (m *Maker) NewEventID() string { return m.id("evt_1", 23) }

// Shuffle puts events in a random order.
func (m *Maker) Shuffle(n int, swap func(i, j int)) { m.rand.Shuffle(n, swap) }

func (m *Maker) id(prefix string, n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	b.Grow(len(prefix) + n)
	b.WriteString(prefix)
	for bits, left := uint64(0), 0; n > 0; n-- {
		if left == 0 {
			bits, left = m.rand.Uint64(), 10
		}
		b.WriteByte(alphabet[bits%62])
		bits /= 62
		left--
	}
	return b.String()
}

// uuid is of version 4 and made from the maker's own randomness.
func (m *Maker) uuid() string {
	var u uuid.UUID
	for i := range 2 {
		bits := m.rand.Uint64()
		for j := range 8 {
			u[8*i+j] = byte(bits >> (8 * j))
		}
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}
