package stripe

// ApplyPrevious puts previous_attributes back into an object, as the decoders do.
func ApplyPrevious(object, previous []byte) ([]byte, error) {
	now, err := parseHash("data.object", object)
	if err != nil {
		return nil, err
	}
	before, err := parseHash("data.previous_attributes", previous)
	if err != nil {
		return nil, err
	}
	return appendMerged(make([]byte, 0, len(object)+len(previous)), now, before, true), nil
}
