package sample

import (
	"bytes"
	"encoding/json"
	"slices"
)

// previousAttributes is what Stripe puts beside an object that changed: the
// old values of the changed keys; of a hash only the changed keys, null for a
// key that was added; an array as a whole. It is nil if nothing changed.
func previousAttributes(before, after []byte) []byte {
	was, is := mustObject(before), mustObject(after)
	var keys []string
	for k := range is {
		keys = append(keys, k)
	}
	for k := range was {
		if _, ok := is[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []byte
	for _, k := range keys {
		old := difference(was[k], is[k])
		if old == nil {
			continue
		}
		if out == nil {
			out = append(out, '{')
		} else {
			out = append(out, ',')
		}
		out = append(out, text(k)...)
		out = append(out, ':')
		out = append(out, old...)
	}
	if out == nil {
		return nil
	}
	return append(out, '}')
}

// difference is the old value to show, or nil. A missing value is nil.
func difference(was, is json.RawMessage) []byte {
	switch {
	case bytes.Equal(was, is):
		return nil
	case was == nil:
		return []byte(null)
	case is != nil && was[0] == '{' && is[0] == '{':
		return previousAttributes(was, is)
	}
	return was
}

// mustObject takes objects apart that we have rendered ourselves.
func mustObject(b []byte) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		panic("decode a rendered object: " + err.Error())
	}
	return m
}
