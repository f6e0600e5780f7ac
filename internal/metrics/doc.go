// Package metrics owns what Prometheus reads at /metrics.
//
// # Where a figure comes from
//
// What happens in a process is counted there, where it happens and after its commit:
// features add to [Webhook] and [Batch]. An event costs some atomic additions and
// allocates nothing. Such figures begin with zero at each start, and those of several processes
// are added up.
//
// What stands in the tables is read when somebody asks, with the reads that the
// overview of operators is made of, and kept for some seconds, so that a scrape costs
// little however many there are. Every process tells the same, so these figures are
// not added up. While the tables cannot be read they are left out: an old figure would
// look like a good one.
//
// # Labels
//
// The values of a label are known when the service starts, and all of them are there
// from the start. Event types that have no route are counted as [Other]. No label has
// an id, a user or a text of anybody's.
//
// There is no registry but that of a [Metrics].
package metrics
