package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// answersWithin is how long a database may take to say anything at all.
const answersWithin = 10 * time.Second

// describeDatabase asks the database what it is, in a place of its own.
func describeDatabase(ctx context.Context, url string) (d Database, err error) {
	err = inPlace(ctx, url, func(p *place) error {
		s, err := p.open(ctx)
		if err != nil {
			return err
		}
		d, err = describe(ctx, s)
		return errors.Join(err, s.Close())
	})
	return d, err
}

func describe(ctx context.Context, s *store.Store) (Database, error) {
	d := Database{Engine: s.Dialect().String(), Durability: map[string]string{}}
	ask := func(question string) (answer string, err error) {
		err = s.Writer().QueryRowContext(ctx, question).Scan(&answer)
		return answer, err
	}
	version, settings := `SELECT sqlite_version()`, map[string]string{"synchronous": `PRAGMA synchronous`, "journal_mode": `PRAGMA journal_mode`}
	if s.Postgres() {
		version, settings = `SELECT current_setting('server_version')`, map[string]string{}
		for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			settings[name] = `SELECT current_setting('` + name + `')`
		}
	}
	var err error
	if d.Version, err = ask(version); err != nil {
		return d, fmt.Errorf("ask the database for its version: %w", err)
	}
	for name, question := range settings {
		if d.Durability[name], err = ask(question); err != nil {
			return d, fmt.Errorf("ask the database for %s: %w", name, err)
		}
	}
	if level, ok := d.Durability["synchronous"]; ok { // SQLite tells a number
		names := map[string]string{"0": "off", "1": "normal", "2": "full", "3": "extra"}
		d.Durability["synchronous"] = names[level]
	}
	return d, nil
}

// notes are what has to be known to read the figures.
func notes(d Database) []string {
	list := []string{"the sender runs on the same machine and takes processors away from the service"}
	for _, name := range slices.Sorted(maps.Keys(d.Durability)) {
		if d.Durability[name] == "off" {
			list = append(list, name+" is off: commits do not survive a crash of the machine, and figures of writing mean little")
		}
	}
	if d.Engine == "postgres" {
		list = append(list,
			"processor time and memory are the service's alone, without Postgres",
			"fsyncs are those of the temporary folder of this machine, which need not be the disk of the database")
	}
	if runtime.GOOS != "linux" {
		list = append(list, "processor time and memory are left out: "+runtime.GOOS+" has no /proc")
	}
	return list
}

// isPostgres reports which engine a URL names.
func isPostgres(url string) bool { return strings.HasPrefix(url, "postgres") }
