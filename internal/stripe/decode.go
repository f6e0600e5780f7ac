package stripe

// Decoded is an object as an event shows it, read into the row type R.
type Decoded[R any] struct {
	After *R
	// Before is the object as it was before the event, nil if the event has no
	// previous_attributes.
	Before *R
	// Deleted reports that the object is a stub, {id, object, "deleted": true}:
	// so the API and some tools show a deleted customer, product or price.
	// After then has nothing but the id.
	Deleted bool

	object, previous value
}

// decode reads text and, with previous put back into it, what it was before.
// The text is parsed once, whatever is asked of it.
func decode[R any](text, previous []byte, read func(*object) *R) (d Decoded[R], err error) {
	if d.object, err = parseHash("data.object", text); err != nil {
		return d, err
	}
	d.After, err = readAll(d.object, "", func(o *object) *R {
		deleted := o.boolean("deleted")
		d.Deleted = deleted != nil && *deleted
		return read(o)
	})
	if err != nil || previous == nil {
		return d, err
	}
	if d.previous, err = parseHash("data.previous_attributes", previous); err != nil {
		return d, err
	}
	before, err := parse(string(appendMerged(make([]byte, 0, len(text)+len(previous)), d.object, d.previous, true)))
	if err != nil {
		return d, err
	}
	d.Before, err = readAll(before, "with data.previous_attributes: ", read)
	return d, err
}
