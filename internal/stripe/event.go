package stripe

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/tidwall/gjson"
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
	if tooDeep(body) {
		return quotekit.Event{}, fmt.Errorf("%w: nested deeper than %d", ErrBody, MaxDepth)
	}
	if !gjson.ValidBytes(body) {
		return quotekit.Event{}, fmt.Errorf("%w: not JSON", ErrBody)
	}
	root := gjson.ParseBytes(body)
	if !root.IsObject() {
		return quotekit.Event{}, fmt.Errorf("%w: not a JSON object", ErrBody)
	}
	env := readEnvelope(root)
	e := quotekit.Event{Payload: body}
	var err error
	if e.ID, err = envelopeName("id", env.id); err != nil {
		return quotekit.Event{}, err
	}
	if e.Type, err = envelopeName("type", env.kind); err != nil {
		return quotekit.Event{}, err
	}
	return e, env.fill(&e, body)
}

// envelope has the members of an event that we read.
type envelope struct {
	id, kind, object, account, apiVersion, livemode, created, data, related gjson.Result
}

func readEnvelope(root gjson.Result) (env envelope) {
	root.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "id":
			env.id = v
		case "type":
			env.kind = v
		case "object":
			env.object = v
		case "account":
			env.account = v
		case "api_version":
			env.apiVersion = v
		case "livemode":
			env.livemode = v
		case "created":
			env.created = v
		case "data":
			env.data = v
		case "related_object":
			env.related = v
		}
		return true
	})
	return env
}

func envelopeName(field string, v gjson.Result) (string, error) {
	switch {
	case v.Type == gjson.Null:
		return "", fmt.Errorf("%w: no %s", ErrBody, field)
	case v.Type != gjson.String:
		return "", fmt.Errorf("%w: %s is not a string", ErrBody, field)
	case !isName(v.Str):
		return "", fmt.Errorf("%w: %s is empty, longer than %d characters or has control characters", ErrBody, field, maxID)
	}
	return v.Str, nil
}

// fill reads everything but id and type, goes on after a field of the wrong
// kind, and returns the first one as the error.
func (env *envelope) fill(e *quotekit.Event, body []byte) error {
	var first error
	wrong := func(field, want string) {
		if first == nil {
			first = &EnvelopeError{Field: field, Want: want}
		}
	}
	thin := env.object.Type == gjson.String && env.object.Str == "v2.core.event"

	switch {
	case env.account.Type == gjson.String && (env.account.Str == "" || isName(env.account.Str)):
		e.Account = env.account.Str
	case env.account.Type != gjson.Null:
		wrong("account", "an account id")
	}
	switch {
	case env.apiVersion.Type == gjson.String && (env.apiVersion.Str == "" || isName(env.apiVersion.Str)):
		e.APIVersion = env.apiVersion.Str
	case env.apiVersion.Type != gjson.Null:
		wrong("api_version", "a version")
	}
	switch env.livemode.Type {
	case gjson.True:
		e.Livemode = true
	case gjson.False, gjson.Null:
	default:
		wrong("livemode", "a boolean")
	}
	var ok bool
	if e.Created, ok = eventTime(env.created, thin); !ok {
		wrong("created", "a time")
	}
	if thin {
		switch {
		case env.related.IsObject():
			e.ObjectID = objectID(env.related)
		case env.related.Type != gjson.Null:
			wrong("related_object", "an object")
		}
	}
	switch {
	case env.data.IsObject():
		readData(e, env.data, body)
	case env.data.Type != gjson.Null:
		wrong("data", "an object")
	}
	return first
}

func readData(e *quotekit.Event, data gjson.Result, body []byte) {
	var object gjson.Result
	data.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "object":
			object = v
		case "previous_attributes":
			e.Previous = within(body, v)
		}
		return true
	})
	e.Object = within(body, object)
	if object.IsObject() {
		e.ObjectID = objectID(object)
	}
}

// within returns the bytes of v in the body it was parsed from, nil for null.
func within(body []byte, v gjson.Result) []byte {
	if v.Type == gjson.Null {
		return nil
	}
	end := v.Index + len(v.Raw)
	return body[v.Index:end:end]
}

// objectID returns the id of an object, or nothing if it has no usable one:
// whether one is needed is the handler's question.
func objectID(object gjson.Result) (id string) {
	object.ForEach(func(k, v gjson.Result) bool {
		if k.Str == "id" {
			id = ""
			if v.Type == gjson.String && isName(v.Str) {
				id = v.Str
			}
		}
		return true
	})
	return id
}

// eventTime reads created: Unix seconds, or RFC 3339 in a thin event.
func eventTime(v gjson.Result, thin bool) (quotekit.Seconds, bool) {
	switch {
	case v.Type == gjson.Null:
		return 0, true
	case v.Type == gjson.Number:
		return parseSeconds(v.Raw)
	case v.Type == gjson.String && thin:
		if t, err := time.Parse(time.RFC3339, v.Str); err == nil {
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
