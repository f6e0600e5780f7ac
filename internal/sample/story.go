package sample

import (
	"maps"
	"strconv"
	"strings"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	month  = 30 * day
)

// object is one Stripe object of a story.
type object struct {
	*template
	now values
	// shown is the state in the last event about it, nil before the first.
	shown values
}

func (o *object) set(place, value string) { o.now[place] = value }
func (o *object) id() string              { return o.now["id"] }

// story is one user's life with us; at is its clock.
type story struct {
	*Maker
	plot
	userID string
	at     int64
	// only suppresses the events of every other type; the objects still change.
	only   string
	events []Event

	product, basic, pro, customer, card, subscription, invoice *object
}

func (m *Maker) story(userID string, p plot, start int64) *story {
	return &story{Maker: m, plot: p, userID: userID, at: start}
}

// newID makes the id of something that is made now.
func (s *story) newID(prefix string) string { return s.Maker.id(prefix, s.at) }

// pass lets time pass. In a hurried story, seconds do not count: what a person
// or Stripe does at one go shares a second.
func (s *story) pass(seconds int64) {
	if s.hurried && seconds < minute {
		return
	}
	s.at += seconds
}

func (s *story) object(name string, now values) *object {
	return &object{template: s.templates[name], now: now}
}

// emit tells of o. An event of an update has previous_attributes; nothing is
// told of an update that changed nothing.
func (s *story) emit(eventType string, o *object) {
	update := strings.HasSuffix(eventType, ".updated") || strings.HasSuffix(eventType, ".detached")
	if s.only == "" || s.only == eventType {
		after := o.render(o.now)
		data := `{"object":` + string(after) + `}`
		if update && o.shown != nil {
			previous := previousAttributes(o.render(o.shown), after)
			if previous == nil {
				return
			}
			data = `{"object":` + string(after) + `,"previous_attributes":` + string(previous) + `}`
		}
		e := Event{ID: s.newID("evt_1"), Type: eventType, Created: s.at, ObjectID: strings.Trim(o.id(), `"`)}
		e.Body = s.templates["event"].render(values{
			"id": text(e.ID), "created": number(s.at), "data": data,
			"request": text("req_" + s.random(14)), "type": text(eventType),
		})
		s.events = append(s.events, e)
	}
	o.shown = maps.Clone(o.now)
}

// userMetadata is the metadata that names the user, in one of the spellings
// that are in use.
func (s *story) userMetadata() string {
	return `{` + text(s.userKey) + `:` + text(s.userID) + `}`
}

func (s *story) offer() {
	created := number(s.at)
	s.product = s.object("product", values{
		"id": text(s.newID("prod_")), "active": "true", "name": text("QuoteKit"), "description": text("Quotes and invoices"),
		"default_price": null, "metadata": `{"plan":"quotekit"}`, "created": created, "updated": created,
		"image": text("https://files.example.com/quotekit.png"),
	})
	s.emit("product.created", s.product)
	s.basic = s.price("Basic", 900)
	s.pro = s.price("Pro", 2900)
	s.pass(1)
	s.product.set("default_price", s.basic.id())
	s.product.set("updated", number(s.at))
	s.emit("product.updated", s.product)
}

func (s *story) price(nickname string, amount int64) *object {
	s.pass(1)
	p := s.object("price", values{
		"id": text(s.newID("price_1")), "active": "true", "created": number(s.at), "currency": text("usd"),
		"lookup_key": null, "nickname": text(nickname), "product": s.product.id(), "interval": text("month"),
		"unit_amount": number(amount), "unit_amount_decimal": text(strconv.FormatInt(amount, 10)),
	})
	s.emit("price.created", p)
	return p
}

func (s *story) signUp() {
	name, email := s.person()
	metadata := s.userMetadata()
	if !s.customerKnowsUser {
		metadata = "{}"
	}
	s.customer = s.object("customer", values{
		"id": text(s.newID("cus_")), "created": number(s.at), "currency": null, "email": text(email), "name": text(name),
		"metadata": metadata, "default_payment_method": null, "delinquent": "false",
		"invoice_prefix": text(strings.ToUpper(s.random(8))), "next_invoice_sequence": "1",
	})
	s.emit("customer.created", s.customer)
}

func (s *story) person() (name, email string) {
	first := []string{"Ada", "Björn", "Chiara", "Dana", "Émile", "Fatou", "Grace", "Hiro"}
	last := []string{"Example", "Muster", "Ejemplo", "Sample", "Esempio", "Modèle"}
	f, l := first[s.rand.IntN(len(first))], last[s.rand.IntN(len(last))]
	return f + " " + l, "user-" + strings.ToLower(s.random(8)) + "@example.com"
}

// newCard is a payment method of the customer.
func (s *story) newCard(brand, last4 string) *object {
	pm := s.object("payment_method", values{
		"id": text(s.newID("pm_1")), "created": number(s.at), "customer": s.customer.id(),
		"email": s.customer.now["email"], "name": s.customer.now["name"], "brand": text(brand),
		"exp_month": number(1 + s.rand.Int64N(12)), "exp_year": number(2030 + s.rand.Int64N(6)),
		"fingerprint": text(s.random(16)), "last4": text(last4),
	})
	s.emit("payment_method.attached", pm)
	return pm
}

// setItem puts the price and the period of the subscription's one item.
func (s *story) setItem(price *object, start, end int64) {
	sub := s.subscription
	plan := string(s.templates["plan"].render(price.now))
	sub.set("price", string(price.render(price.now)))
	sub.set("plan", plan)
	sub.set("period_start", number(start))
	sub.set("period_end", number(end))
}
