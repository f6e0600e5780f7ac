package metrics

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// namespace begins every name but those of the Go runtime and of the process, which
// are the same for all programs.
const namespace = "quotekit"

// Other is the value of a label for what has none of its own.
const Other = "other"

// Config says what is counted, and where to look.
type Config struct {
	// Version and Role are of this process.
	Version, Role string
	// Routes are all event types that have a name of their own here, and their lanes.
	Routes []quotekit.Route
	// Operations are the bulk operations. Others are those that are not in the table.
	Operations      []quotekit.Operation
	OtherOperations []string
	Store           *store.Store
	// Reconcile is the kind of the tasks that compare with Stripe's list of events.
	Reconcile string
	// Prepared reports whether the tables are there.
	Prepared func() bool
	// Requests are the requests that are worked on, by kind.
	Requests func() []Requests
	// Waiting is how many deliveries wait for a group, and how long the first has.
	Waiting func() (deliveries int, first time.Duration)
	Now     func() time.Time
}

// Requests are the requests of a kind.
type Requests struct {
	Kind string
	// InFlight are worked on, of Limit at most.
	InFlight, Limit int64
	// TurnedAway is how many there was no room for since the start.
	TurnedAway int64
}

// Metrics is everything that can be read. Its methods may be called from many
// goroutines.
type Metrics struct {
	// Webhook and Batch are what features add to.
	Webhook *Webhook
	Batch   *Batch

	registry *prometheus.Registry
}

// New makes the metrics of a process.
func New(c Config) *Metrics {
	m := &Metrics{
		Webhook:  newWebhook(c.Routes),
		Batch:    newBatch(c.Operations, c.OtherOperations),
		registry: prometheus.NewRegistry(),
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "go_version", "database", "role"})
	info.WithLabelValues(c.Version, runtime.Version(), c.Store.Dialect().String(), c.Role).Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.Webhook.collectors()...)
	m.registry.MustRegister(m.Batch.items, newProcess(c), newTables(c))
	return m
}

// ContentType is the media type of what [Metrics.Write] writes: the format that every
// version of Prometheus reads.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Write writes all figures as text.
func (m *Metrics) Write(w io.Writer) error {
	families, err := m.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
	}
	return nil
}

// describe makes the description of a figure that is looked up.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

// gauge and counter make a figure of now.
func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func counter(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}
