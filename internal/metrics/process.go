package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// process looks at what this process knows without asking the database.
type process struct {
	Config
}

func newProcess(c Config) prometheus.Collector { return process{c} }

var (
	waitingDeliveries = describe("deliveries_waiting", "Deliveries that wait for a group.")
	waitingSeconds    = describe("deliveries_waiting_seconds", "How long the first of the deliveries that wait for a group has waited.")

	requestsInFlight   = describe("requests_in_flight", "Requests that are worked on, by kind.", "kind")
	requestsLimit      = describe("requests_in_flight_limit", "How many requests of a kind are worked on at most.", "kind")
	requestsTurnedAway = describe("requests_turned_away_total", "Requests that were answered 503 at once since too many of their kind were worked on.", "kind")

	poolConnections = describe("database_connections", "Connections to the database, by pool and state: in_use, idle.", "pool", "state")
	poolLimit       = describe("database_connections_limit", "How many connections a pool may have.", "pool")
	poolWaits       = describe("database_connection_waits_total", "How often somebody waited for a connection of a pool.", "pool")
	poolWaited      = describe("database_connection_wait_seconds_total", "How long all who waited for a connection of a pool have waited.", "pool")

	databaseBytes = describe("sqlite_database_bytes", "Size of the SQLite file.")
	walBytes      = describe("sqlite_wal_bytes", "Size of the write-ahead log of SQLite; it keeps its size when it starts over.")
	walPending    = describe("sqlite_wal_pending_pages", "Pages in the write-ahead log that the last checkpoint could not move into the SQLite file yet.")
	checkpoints   = describe("sqlite_checkpoints_total", "Checkpoints of the write-ahead log, by outcome: done, failed.", "outcome")
	diskFree      = describe("disk_free_bytes", "What is free of the file system of the SQLite file.")
	diskSize      = describe("disk_size_bytes", "Size of the file system of the SQLite file.")
)

// Describe implements [prometheus.Collector].
func (p process) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		waitingDeliveries, waitingSeconds, requestsInFlight, requestsLimit, requestsTurnedAway,
		poolConnections, poolLimit, poolWaits, poolWaited, databaseBytes, walBytes, walPending, checkpoints, diskFree, diskSize,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (p process) Collect(ch chan<- prometheus.Metric) {
	waiting, first := p.Waiting()
	ch <- gauge(waitingDeliveries, float64(waiting))
	ch <- gauge(waitingSeconds, first.Seconds())
	for _, r := range p.Requests() {
		ch <- gauge(requestsInFlight, float64(r.InFlight), r.Kind)
		ch <- gauge(requestsLimit, float64(r.Limit), r.Kind)
		ch <- counter(requestsTurnedAway, float64(r.TurnedAway), r.Kind)
	}
	for _, pool := range p.Store.Pools() {
		ch <- gauge(poolConnections, float64(pool.InUse), pool.Name, "in_use")
		ch <- gauge(poolConnections, float64(pool.Idle), pool.Name, "idle")
		ch <- gauge(poolLimit, float64(pool.Limit), pool.Name)
		ch <- counter(poolWaits, float64(pool.Waits), pool.Name)
		ch <- counter(poolWaited, pool.Waited.Seconds(), pool.Name)
	}
	if f, ok := p.Store.Files(); ok {
		ch <- gauge(databaseBytes, float64(f.Database))
		ch <- gauge(walBytes, float64(f.WAL))
		ch <- gauge(walPending, float64(f.PendingPages))
		ch <- counter(checkpoints, float64(f.Checkpoints), "done")
		ch <- counter(checkpoints, float64(f.FailedCheckpoints), "failed")
	}
	// A file system that cannot be looked at has no figures.
	if free, size, ok, err := p.Store.DiskSpace(); ok && err == nil {
		ch <- gauge(diskFree, float64(free))
		ch <- gauge(diskSize, float64(size))
	}
}
