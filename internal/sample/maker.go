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
	// account is the part of ids that says whose they are.
	account string
	// stories counts the stories told, so that they differ in turn.
	stories int
}

// New returns a maker whose ids and choices come from src and whose events end
// at the time that now tells.
func New(src rand.Source, now func() time.Time) *Maker {
	m := &Maker{rand: rand.New(src), now: now, templates: loadTemplates()}
	m.account = m.random(10)
	return m
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
func (m *Maker) NewEventID() string { return m.id("evt_1", m.now().Unix()) }

// WithNewID gives an event another id, as of one that happens now.
func (m *Maker) WithNewID(e Event) (Event, error) {
	e.ID = m.NewEventID()
	var err error
	e.Body, err = Set(e.Body, "id", e.ID)
	return e, err
}

// Shuffle puts events in a random order.
func (m *Maker) Shuffle(n int, swap func(i, j int)) { m.rand.Shuffle(n, swap) }

// idEpoch is when the time in Stripe's ids begins, in Unix seconds.
const idEpoch = 1342389380

// id makes an id as Stripe does, of an object that was made at a time: evt_1, in_1 and
// so on have the second, whose they are, and something random; older kinds like cus_
// the minute and something random. Indexes feel the difference to ids that are random
// altogether.
//
// Stripe does not document it, and nothing but the look of samples depends on it. It was
// read off the examples of its API reference, whose ids and times agree to the second or
// two (evt_1NG8Du2eZvKYlo2CUI79vXWy of 1686089970, evt_1MqqbKLt4dXK03v5qaIbiNCC of
// 1680064028, evt_1CiPtv2eZvKYlo2CcUZsDcO6 of 1530291411) and to the minute (cus_NffrFeUfNV2Hib of
// 1680893993, cus_FzVfjbZ7ehFJ4a of 1571071402).
func (m *Maker) id(prefix string, at int64) string {
	if strings.HasSuffix(prefix, "_1") {
		return prefix + base62(at-idEpoch, 5) + m.account + m.random(8)
	}
	return prefix + base62((at-idEpoch)/60, 4) + m.random(10)
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62 writes n with so many digits, the last ones if it has more.
func base62(n int64, digits int) string {
	b := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		b[i] = alphabet[max(n, 0)%62]
		n /= 62
	}
	return string(b)
}

// random is n letters and digits.
func (m *Maker) random(n int) string {
	var b strings.Builder
	b.Grow(n)
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
