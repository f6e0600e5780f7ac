package stripe

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/quotekit/quotekit"
)

// ErrBody means that a body is no event at all: not one JSON object, nested
// deeper than [MaxDepth], or without a usable id or type. Nothing can be kept
// of it under an event id.
var ErrBody = errors.New("body is not a Stripe event")

// ErrEnvelope is what every [EnvelopeError] is.
var ErrEnvelope = errors.New("event envelope is unusable")

// EnvelopeError says that a field of the envelope other than id and type has
// the wrong JSON kind. The event beside it has its ID, its Type, its Payload
// and what else could be read, so that it can be kept and buried under its id.
type EnvelopeError struct {
	// Field is the path of the field, like "data" or "livemode".
	Field string
	// Want is the kind that was expected, like "a boolean".
	Want string
}

func (e *EnvelopeError) Error() string {
	return "event field " + e.Field + " is not " + e.Want
}

// Is makes every EnvelopeError an [ErrEnvelope].
func (e *EnvelopeError) Is(target error) bool { return target == ErrEnvelope }

// ParseEvent reads the envelope of an event of any API version, thin events
// included, and leaves the object as the bytes of body: the event aliases body,
// which must not be changed afterwards.
//
// The error is [ErrBody] or an [*EnvelopeError]; only with the latter is the
// event usable. A byte order mark before the JSON is not JSON, as for Stripe's
// own libraries. An id or type is refused if it is missing, empty, longer than
// 255 characters or has control characters or what is not Unicode in it.
//
// data.object and data.previous_attributes are handed on whatever their JSON
// kind; the handler that needs them judges them. JSON null counts as missing.
// The last of equal keys wins.
func ParseEvent(body []byte) (quotekit.Event, error) {
	root, err := parse(string(body))
	if err != nil {
		return quotekit.Event{}, fmt.Errorf("%w: %w", ErrBody, err)
	}
	defer root.release()
	if !root.isObject() {
		return quotekit.Event{}, fmt.Errorf("%w: not a JSON object", ErrBody)
	}
	e := quotekit.Event{Payload: body}
	if e.ID, err = envelopeName("id", root); err != nil {
		return quotekit.Event{}, err
	}
	if e.Type, err = envelopeName("type", root); err != nil {
		return quotekit.Event{}, err
	}
	e.Fetched = isFetchedType(e.Type)
	return e, fillEnvelope(&e, root, body)
}

func envelopeName(field string, root value) (string, error) {
	v := root.get(field)
	switch {
	case v.missing():
		return "", fmt.Errorf("%w: no %s", ErrBody, field)
	case !v.isString():
		return "", fmt.Errorf("%w: %s is not a string", ErrBody, field)
	case !isName(v.str()):
		return "", fmt.Errorf("%w: %s is empty, longer than %d characters or has control characters", ErrBody, field, maxID)
	}
	return v.str(), nil
}

// fillEnvelope reads everything but id and type. It goes on after a field of
// the wrong kind and returns the first one as the error.
func fillEnvelope(e *quotekit.Event, root value, body []byte) error {
	var first error
	check := func(ok bool, field, want string) {
		if !ok && first == nil {
			first = &EnvelopeError{Field: field, Want: want}
		}
	}
	var ok bool
	e.Account, ok = optionalName(root.get("account"))
	check(ok, "account", "an account id")
	e.APIVersion, ok = optionalName(root.get("api_version"))
	check(ok, "api_version", "a version")
	livemode := root.get("livemode").kind()
	e.Livemode = livemode == isTrue
	check(livemode <= isTrue, "livemode", "a boolean")

	thin := root.get("object").str() == "v2.core.event"
	e.Created, ok = eventTime(root.get("created"), thin)
	check(ok, "created", "a time")
	if thin {
		related := root.get("related_object")
		check(related.missing() || related.isObject(), "related_object", "an object")
		e.ObjectID = objectID(related)
	}
	data := root.get("data")
	check(data.missing() || data.isObject(), "data", "an object")
	object := data.get("object")
	if object.isObject() {
		e.ObjectID = objectID(object)
	}
	e.Object = within(body, object)
	e.Previous = within(body, data.get("previous_attributes"))
	return first
}

// optionalName reads a string that may be missing or empty.
func optionalName(v value) (name string, ok bool) {
	name = v.str()
	ok = v.missing() || v.isString() && (name == "" || isName(name))
	if !ok {
		name = ""
	}
	return name, ok
}

// within returns the bytes of v in the body it was parsed from, nil for null.
func within(body []byte, v value) []byte {
	if v.missing() {
		return nil
	}
	start, end := v.span()
	if v.isString() {
		start, end = start-1, end+1
	}
	return body[start:end:end]
}

// objectID returns the id of an object, or nothing if it has no usable one:
// whether one is needed is the handler's question.
func objectID(object value) string {
	if id := object.get("id").str(); isName(id) {
		return id
	}
	return ""
}

// CustomerOf returns the id of the customer that the object of an event is, or says it
// belongs to; empty if it says nothing of the kind. It reads objects of every type, also
// of those that are not mirrored.
func CustomerOf(e quotekit.Event) string {
	object, err := parseHash("data.object", e.Object)
	if err != nil {
		return ""
	}
	defer object.release()
	customer := object.get("customer")
	if object.get("object").str() == "customer" {
		customer = object.get("id")
	}
	if customer.isObject() {
		return objectID(customer)
	}
	if id := customer.str(); isName(id) {
		return id
	}
	return ""
}

// eventTime reads created: Unix seconds, or RFC 3339 in a thin event.
func eventTime(v value, thin bool) (quotekit.Seconds, bool) {
	switch {
	case v.missing():
		return 0, true
	case v.kind() == isNumber:
		return parseSeconds(v.raw())
	case v.isString() && thin:
		if t, err := time.Parse(time.RFC3339, v.str()); err == nil {
			return quotekit.Seconds(t.Unix()), true
		}
	}
	return 0, false
}

// The years 1 to 9999, which every database and every format can hold.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

func parseSeconds(raw string) (quotekit.Seconds, bool) {
	n, ok := parseInteger(raw)
	if !ok || n < minSeconds || n > maxSeconds {
		return 0, false
	}
	return quotekit.Seconds(n), true
}

// parseInteger reads plain digits only: neither a fraction nor an exponent,
// even where the value would be whole, and nothing beyond int64.
func parseInteger(raw string) (int64, bool) {
	n, err := strconv.ParseInt(raw, 10, 64)
	return n, err == nil
}
