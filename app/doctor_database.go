package app

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

func checkDatabase(ctx context.Context, e *examination) Finding {
	const look = "check DATABASE_URL"
	path, sqlite := e.sqlitePath()
	switch {
	case e.inUse():
		return ok("%s is in use by a running service", path)
	case e.storeErr != nil:
		return fail(look, "%s", store.WhyAway(e.storeErr))
	case e.store == nil:
		return warn("quotekit serve makes it", "there is no file %s yet", path)
	}
	version, err := e.store.Version(ctx)
	switch {
	case err != nil:
		return fail(look, "%s", store.WhyAway(err))
	case sqlite:
		return ok("%s, %s", version, path)
	}
	return ok("%s at %s", version, e.store.Server())
}

func checkMigrations(ctx context.Context, e *examination) Finding {
	if f, seen := e.unseen(); !seen {
		return f
	}
	migrations, err := e.store.MigrationStatus(ctx)
	if err != nil {
		return fail("see database", "%s", store.WhyAway(err))
	}
	newer, err := e.store.NewerMigrations(ctx)
	if err != nil {
		return fail("see database", "%s", store.WhyAway(err))
	}
	pending := 0
	for _, m := range migrations {
		if m.AppliedAt.IsZero() {
			pending++
		}
	}
	switch {
	case len(newer) > 0:
		return warn("use the newest version of quotekit", "a newer version has changed the tables (migration %d)", newer[len(newer)-1])
	case pending > 0:
		return warn("quotekit migrate up", "%d of %d are pending", pending, len(migrations))
	}
	return ok("all %d are applied", len(migrations))
}

func checkSchema(ctx context.Context, e *examination) Finding {
	if f, seen := e.unseen(); !seen {
		return f
	}
	taken, err := e.store.TakenTables(ctx)
	if err != nil {
		return fail("see database", "%s", store.WhyAway(err))
	}
	if len(taken) > 0 {
		var tables []string
		for _, t := range taken {
			tables = append(tables, t.Table+": "+t.Why())
		}
		return fail("set QUOTEKIT_SCHEMA to a schema for QuoteKit's tables, and QUOTEKIT_TABLES to those that bulk operations are to work on",
			"%s has tables that are not QuoteKit's: %s", taken[0].Schema, strings.Join(tables, "; "))
	}
	return ok("no name of QuoteKit's is taken")
}

func checkApplicationTables(ctx context.Context, e *examination) Finding {
	if f, seen := e.unseen(); !seen {
		return f
	}
	all, err := e.store.ExamineApplication(ctx)
	if err != nil {
		return fail("see database", "%s", store.WhyAway(err))
	}
	var found []string
	status := FindingOK
	for _, t := range all {
		switch {
		case t.Fails():
			status = FindingFail
		case status == FindingOK:
			status = FindingWarn
		}
		found = append(found, t.Name+": "+t.Why())
	}
	if status == FindingOK {
		return ok("bulk operations can work on them")
	}
	return Finding{Status: status, Found: strings.Join(found, "; "), Fix: "set QUOTEKIT_TABLES to what they are called: see docs/supabase.md"}
}

func checkRowLevelSecurity(ctx context.Context, e *examination) Finding {
	if f, seen := e.unseen(); !seen {
		return f
	}
	open, err := e.store.OpenTables(ctx)
	switch {
	case err != nil:
		return fail("see database", "%s", store.WhyAway(err))
	case len(open) > 0:
		return fail("enable row level security for them, with a policy for those who are to see them, or revoke the rights",
			"off, while anon or authenticated have rights to %s", strings.Join(open, ", "))
	}
	return ok("no table of QuoteKit's is open to a browser")
}

func checkDurability(ctx context.Context, e *examination) Finding {
	if f, seen := e.unseen(); !seen {
		return f
	}
	careless, err := e.store.Careless(ctx)
	switch {
	case err != nil:
		return fail("see database", "%s", store.WhyAway(err))
	case len(careless) > 0:
		return fail("set them to on", "commits may be lost with the power: %s", strings.Join(careless, ", "))
	}
	return ok("commits survive a power failure")
}

func checkPooler(_ context.Context, e *examination) Finding {
	if _, sqlite := e.sqlitePath(); sqlite {
		return ok("SQLite has none")
	}
	u, err := url.Parse(e.Config.DatabaseURL)
	if err != nil {
		return fail("check DATABASE_URL", "it is no URL")
	}
	if u.Port() == "6543" || u.Query().Get("pgbouncer") == "true" {
		return warn("use the direct connection, or port 5432 of the pooler", "DATABASE_URL looks like a pooler of transactions")
	}
	return ok("none that can be told from DATABASE_URL")
}

func checkClock(ctx context.Context, e *examination) Finding {
	if e.store == nil || !e.store.Postgres() {
		return ok("SQLite has no clock of its own")
	}
	skew, err := e.store.ClockSkew(ctx)
	if err != nil {
		return fail("see database", "%s", store.WhyAway(err))
	}
	if ahead := remarkable(skew, databaseSkew); ahead != 0 {
		return warn("let both machines set their clocks by NTP", "the clock of this machine is %s ahead of the database's", ahead.Round(time.Second))
	}
	return ok("as the database's")
}

func checkDisk(_ context.Context, e *examination) Finding {
	path, sqlite := e.sqlitePath()
	if !sqlite {
		return ok("the server's own")
	}
	free, err := store.FreeSpace(path)
	switch {
	case err != nil:
		return fail("make the folder of the database", "%v", err)
	case free < leastSpace:
		return warn("make room", "%d MiB are free", free>>20)
	}
	return ok("%d GiB are free", free>>30)
}
