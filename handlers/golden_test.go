package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/stripe"
)

var update = flag.Bool("update", false, "write the golden files anew")

const fixtures = "../testdata/stripe"

// TestHandlers_Golden runs every fixture of a routed type through its handler.
// The golden files are reviewed by reading them beside their fixture.
func TestHandlers_Golden(t *testing.T) {
	routes := routesByType()
	seen := make(map[string]bool)
	for _, path := range mustFixtures(t) {
		body := mustRead(t, path)
		e, err := stripe.ParseEvent(body)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		route, ok := routes[e.Type]
		if !ok {
			continue
		}
		seen[e.Type] = true
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			changes, err := route.Handle(context.Background(), e)
			if err != nil {
				t.Fatal(err)
			}
			checkChanges(t, changes)
			checkGolden(t, "../testdata/golden/"+name+".json", changes)
		})
	}
	for _, kind := range []string{
		"customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
		"checkout.session.completed", "invoice.payment_succeeded", "invoice.payment_failed", "invoice.paid",
		"setup_intent.succeeded", "payment_method.attached", "payment_method.detached",
		"product.created", "product.updated", "product.deleted", "price.created", "price.updated", "price.deleted",
		"customer.created", "customer.updated", "customer.deleted",
	} {
		if !seen[kind] {
			t.Errorf("no fixture of %s", kind)
		}
	}
}

// checkChanges checks what holds for the changes of every event.
func checkChanges(t *testing.T, changes quotekit.Changes) {
	t.Helper()
	type key struct {
		kind quotekit.Kind
		id   string
	}
	seen := make(map[key]bool)
	for _, c := range changes.Objects {
		k := key{c.Kind, c.ID}
		if c.ID == "" || seen[k] {
			t.Errorf("%s without an id, or twice", c.Kind)
		}
		seen[k] = true
		if c.Snapshot == nil {
			continue
		}
		if got := c.Snapshot.After.Kind(); got != c.Kind {
			t.Errorf("row of a %s in a change of a %s", got, c.Kind)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Error(err)
		}
		// A backslash before u0000 may be a character itself.
		if bytes.Contains(bytes.ReplaceAll(text, []byte(`\\`), nil), []byte(`\u0000`)) {
			t.Errorf("U+0000 in %s", c.Kind)
		}
	}
}

func checkGolden(t *testing.T, path string, changes quotekit.Changes) {
	t.Helper()
	got, err := json.MarshalIndent(changes, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./handlers -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s:\n%s", path, got)
	}
}

func routesByType() map[string]quotekit.Route {
	routes := make(map[string]quotekit.Route)
	for _, r := range handlers.Routes() {
		routes[r.Type] = r
	}
	return routes
}

func mustFixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(fixtures + "/*.json")
	if err != nil || len(paths) < 100 {
		t.Fatalf("found %d fixtures: %v", len(paths), err)
	}
	return paths
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
