package stripe

// Decoded is an object as an event shows it, read into the row type R.
type Decoded[R any] struct {
	After *R
	// Before is the object as it was before the event, nil if the event has no
	// previous_attributes.
	Before *R
	// Differences has what previous_attributes lists, sorted by field.
	Differences []Difference
	// Deleted reports that the object is a stub, {id, object, "deleted": true}:
	// so the API and some tools show a deleted customer, product or price.
	// After then has nothing but the id.
	Deleted bool
}

// decode reads text and, with previous put back into it, what it was before.
func decode[R any](text, previous []byte, read func(*object) *R) (d Decoded[R], err error) {
	now, err := parseHash("data.object", text)
	if err != nil {
		return d, err
	}
	defer now.release()
	d.After, err = readAll(now, "", func(o *object) *R {
		deleted := o.boolean("deleted")
		d.Deleted = deleted != nil && *deleted
		return read(o)
	})
	if err != nil || previous == nil {
		return d, err
	}
	old, err := parseHash("data.previous_attributes", previous)
	if err != nil {
		return d, err
	}
	defer old.release()
	before, err := parse(string(appendMerged(make([]byte, 0, len(text)+len(previous)), now, old, true)))
	if err != nil {
		return d, err
	}
	defer before.release()
	d.Before, err = readAll(before, "with data.previous_attributes: ", read)
	d.Differences = differences(now, old)
	return d, err
}
