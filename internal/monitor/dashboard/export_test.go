package dashboard

// Looks reports whether somebody looks for changes.
func (d *Dashboard) Looks() bool {
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	return d.watch.end != nil
}
