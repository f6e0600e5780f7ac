package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/internal/batch"
)

func (p *program) batchResults(ctx context.Context, c *cli.Command) error {
	help := c.FullName() + " --help"
	switch {
	case c.Bool("csv") && c.Bool("json"):
		return usagef(help, "--csv and --json contradict each other")
	case c.IsSet("limit") && c.Int("limit") < 1:
		return usagef(help, "--limit begins at 1")
	}
	q := url.Values{}
	for _, flag := range []string{"outcome", "cursor"} {
		if v := c.String(flag); v != "" {
			q.Set(flag, v)
		}
	}
	if c.IsSet("limit") {
		q.Set("limit", strconv.Itoa(c.Int("limit")))
	}
	return p.onJob(ctx, c, func(api *client, id string) error {
		if c.Bool("csv") {
			return api.copy(ctx, jobPath(id, "results")+"?"+q.Encode(), "text/csv", p.stdout)
		}
		list, err := api.results(ctx, id, q)
		if err != nil {
			return err
		}
		err = p.print(c, list, func(t *table) {
			t.row("POSITION", "ITEM", "OUTCOME", "ERROR", "CHANGE")
			for _, r := range list.Items {
				t.row(r.Position, orDash(r.ItemID), r.Outcome, errorOf(r), change(r))
			}
		})
		if err == nil {
			p.more(c, list.NextCursor, len(list.Items))
		}
		return err
	})
}

// results reads a page of results; without a limit it has all of them.
func (c *client) results(ctx context.Context, id string, q url.Values) (list page[batch.JobResult], err error) {
	list.Items = []batch.JobResult{}
	return list, c.get(ctx, jobPath(id, "results"), q, &list)
}

func errorOf(r batch.JobResult) string {
	if r.ErrorCode == nil {
		return "-"
	}
	if r.ErrorMessage == nil {
		return string(*r.ErrorCode)
	}
	return string(*r.ErrorCode) + ": " + *r.ErrorMessage
}

// change shows what became of a row: "status: draft → sent", "- Design 001" of one
// that was deleted, "+ Design 001" of one that was made or put back.
func change(r batch.JobResult) string {
	var before, after map[string]json.RawMessage
	if json.Unmarshal(orNull(r.Before), &before) != nil || json.Unmarshal(orNull(r.After), &after) != nil {
		return "?"
	}
	switch {
	case before == nil && after == nil:
		return "-"
	case after == nil:
		return "- " + label(before)
	case before == nil:
		return "+ " + label(after)
	}
	var changes []string
	for _, column := range slices.Sorted(maps.Keys(after)) {
		changes = append(changes, fmt.Sprintf("%s: %s → %s", column, plain(before[column]), plain(after[column])))
	}
	return strings.Join(changes, ", ")
}

func orNull(value json.RawMessage) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	return value
}

// label is what people know a row by.
func label(row map[string]json.RawMessage) string {
	var words []string
	for _, column := range []string{"quote_number", "name", "client_name", "email", "unit_price", "total"} {
		if text := plain(row[column]); text != "null" && text != "" {
			words = append(words, text)
		}
	}
	return strings.Join(words, " ")
}

// plain is a JSON value as text, a string without its quotes.
func plain(value json.RawMessage) string {
	var text string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(orNull(value))
}

func (p *program) batchExport(ctx context.Context, c *cli.Command) error {
	return p.onJob(ctx, c, func(api *client, id string) error {
		path, name := jobPath(id, "export"), c.String("output")
		if name == "" {
			return api.copy(ctx, path, "*/*", p.stdout)
		}
		// Nobody finds half a file under the name.
		f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
		if err != nil {
			return fmt.Errorf("write the file: %w", err)
		}
		err = api.copy(ctx, path, "*/*", f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err == nil {
			err = os.Rename(f.Name(), name)
		}
		if err != nil {
			_ = os.Remove(f.Name()) // the error is told
			return err
		}
		fmt.Fprintln(p.stderr, "written to "+name)
		return nil
	})
}

// copy copies an answer as it is.
func (c *client) copy(ctx context.Context, path, accept string, to io.Writer) error {
	resp, err := c.open(ctx, call{method: http.MethodGet, path: path, header: http.Header{"Accept": {accept}}, endless: true})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(to, resp.Body); err != nil {
		return failf(exitFailed, "", "the answer was cut off: %w", err)
	}
	return nil
}
