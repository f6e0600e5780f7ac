package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Scenario is something that is measured.
type Scenario struct {
	Name, Summary string
	// compared says that the figures are set against the floors of the same run.
	compared bool
	// onPostgres says that SQLite cannot do it.
	onPostgres bool
	measure    measureFunc
}

// floorsName is the scenario that others are compared with.
const floorsName = "floors"

type measureFunc func(ctx context.Context, r *runner) (Measured, error)

// Scenarios is the table of everything that can be measured, in the order in which it
// is.
func Scenarios() []Scenario {
	list := []Scenario{
		{Name: "start", Summary: "from the start to the first answer, on a new database and on one that is there", measure: measureStart},
		{Name: floorsName, Summary: "what disk and database do without us: fsync, single rows, many rows, one statement", measure: measureFloors},
	}
	for _, connections := range []int{1, 16, 64, 256} {
		list = append(list, Scenario{
			Name:    fmt.Sprintf("webhook-%d", connections),
			Summary: fmt.Sprintf("closed loop, connections: %d; each sends its next event when the last is settled", connections),
			measure: closedLoop(connections), compared: true,
		})
	}
	for _, rate := range []int{100, 200, 1000} {
		list = append(list, Scenario{
			Name:    fmt.Sprintf("steady-%d", rate),
			Summary: fmt.Sprintf("open loop, %d events a second: times from when each was due", rate),
			measure: openLoop(rate),
		})
	}
	for _, connections := range []int{256, 1000} {
		list = append(list, Scenario{
			Name:    fmt.Sprintf("burst-%d", connections),
			Summary: fmt.Sprintf("5,000 events as fast as they are taken, connections: %d; and whether the urgent ones are first", connections),
			measure: burst(connections),
		})
	}
	list = append(list,
		Scenario{Name: "duplicates", Summary: "every event four times, shuffled: effects once", measure: measureDuplicates},
		Scenario{Name: "lane", Summary: "5,000 events of deferred routes: how fast workers settle what was kept", measure: measureLane},
	)
	for _, processes := range []int{1, 2, 4} {
		list = append(list, Scenario{
			Name:    fmt.Sprintf("processes-%d", processes),
			Summary: fmt.Sprintf("closed loop, connections: 64, spread over so many processes on one Postgres: %d", processes),
			measure: together(processes), onPostgres: true,
		})
	}
	list = append(list,
		Scenario{Name: "cost", Summary: "what an event leaves behind: rows, bytes stored, bytes written", measure: measureCost},
		Scenario{Name: "full", Summary: "closed loop, connections: 64, on tables with a history of 30 days", measure: measureFull},
	)
	for _, o := range batchOperations() {
		items := "1,000 items"
		if o.exports {
			items = "500 items"
		}
		list = append(list, Scenario{
			Name:    "batch-" + o.name,
			Summary: items + " from submission to the end, beside one set-based transaction",
			measure: o.measure,
		})
	}
	return append(list, Scenario{Name: "reads", Summary: "what the dashboard reads, on a history of 30 days", measure: measureReads})
}

func named(name string) func(Scenario) bool {
	return func(s Scenario) bool { return s.Name == name }
}

// Select returns the scenarios whose names begin with one of the prefixes, all of them
// if there are none. A prefix that is a whole name means only that one. It fails if one
// fits nothing. What is compared with the floors brings them along.
func Select(prefixes []string) ([]Scenario, error) {
	all := Scenarios()
	if len(prefixes) == 0 {
		return all, nil
	}
	chosen := make([]bool, len(all))
	for _, prefix := range prefixes {
		fits := named(prefix)
		if !slices.ContainsFunc(all, fits) {
			fits = func(s Scenario) bool { return prefix != "" && strings.HasPrefix(s.Name, prefix) }
		}
		found := false
		for i, s := range all {
			if fits(s) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no scenario begins with %q", prefix)
		}
	}
	compared := func(s Scenario) bool { return s.compared && chosen[slices.IndexFunc(all, named(s.Name))] }
	if slices.ContainsFunc(all, compared) {
		chosen[slices.IndexFunc(all, named(floorsName))] = true
	}
	var list []Scenario
	for i, s := range all {
		if chosen[i] {
			list = append(list, s)
		}
	}
	return list, nil
}
