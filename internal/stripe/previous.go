package stripe

// appendMerged appends now, which may be missing or no hash, with before put
// back into it: the object as it was, before being previous_attributes. Hashes
// merge key by key at every depth and arrays are replaced whole, as Stripe
// writes them. A null at the top is an old value like any other; below it says
// that the event added the key, so the key goes (where it was an old null
// instead, nothing is lost: null and missing decode alike). It recurses no deeper than before is nested.
func appendMerged(dst []byte, now, before value, top bool) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	write := func(name string, v, old value) {
		if old.kind() == isNull && !top {
			return
		}
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		if old.isObject() {
			dst = appendMerged(dst, v, old, false)
		} else {
			dst = old.appendTo(dst)
		}
	}
	if now.isObject() {
		for m := range now.all() {
			name := m.name()
			if old := before.get(name); old.d != nil {
				write(name, m, old)
				continue
			}
			if len(dst) > begin {
				dst = append(dst, ',')
			}
			dst = m.appendMember(dst)
		}
	}
	for old := range before.all() {
		if name := old.name(); now.get(name).d == nil {
			write(name, value{}, old)
		}
	}
	return append(dst, '}')
}
