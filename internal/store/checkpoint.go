package store

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// checkpointEvery is how often what was committed is moved from the WAL
	// into the database file.
	checkpointEvery = 100 * time.Millisecond
	// walPages is the length of the WAL, in pages of 4 KiB, at which a commit
	// waits for the checkpoint to be completed, so that the WAL starts over.
	walPages = 16_000
)

// checkpointer moves pages from the WAL of SQLite into the database file on a
// connection of its own, beside the one that writes. By default the commit that
// makes the WAL too long does it, and everybody waits: of the longest answers
// under load that was the greatest part. It never stops a writer or a reader
// (PASSIVE); the writer's own checkpoint, at [walPages], finds little left.
type checkpointer struct {
	db      *sql.DB
	commits atomic.Int64
	stop    context.CancelFunc
	running sync.WaitGroup

	done, failed atomic.Int64 // checkpoints
	pending      atomic.Int64 // pages that the last one has left in the WAL
}

func startCheckpointer(path string) (*checkpointer, error) {
	db, err := sql.Open("sqlite", sqliteDSN(path, "synchronous(FULL)", "wal_autocheckpoint(0)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{db: db, stop: stop}
	c.running.Go(func() { c.run(ctx) })
	return c, nil
}

func (c *checkpointer) run(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var seen int64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n := c.commits.Load(); n != seen {
			seen = n
			c.checkpoint(ctx)
		}
	}
}

// checkpoint moves what it can. What fails here is left to the writer's own
// checkpoint, whose commit tells the error to somebody.
func (c *checkpointer) checkpoint(ctx context.Context) {
	var busy, pages, moved int64
	if err := c.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved); err != nil {
		c.failed.Add(1)
		return
	}
	c.done.Add(1)
	c.pending.Store(max(pages-moved, 0))
}

func (c *checkpointer) close() error {
	c.stop()
	c.running.Wait()
	return c.db.Close()
}
