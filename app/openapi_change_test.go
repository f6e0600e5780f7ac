package app_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"

	"github.com/quotekit/quotekit/app"
)

// The document as it is committed, and as it was at the last release, which is what
// programs of others are made for.
const (
	committedAPI = "../docs/api/openapi.json"
	releasedAPI  = "../docs/api/released.json"
)

var update = flag.Bool("update", false, "write the OpenAPI document anew")

func mustParseAPI(t *testing.T, path string) libopenapi.Document {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := libopenapi.NewDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOpenAPI_IsCommitted: who reads a change of the code sees the change of the API.
func TestOpenAPI_IsCommitted(t *testing.T) {
	want, err := app.OpenAPI("")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(committedAPI, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(committedAPI)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not the document of this program (%v); run: go test ./app -run OpenAPI_IsCommitted -update", committedAPI, err)
	}
}

// TestOpenAPI_BreaksNothing compares with the last release. A change that is meant goes
// with a new major version: then copy the document over the released one.
func TestOpenAPI_BreaksNothing(t *testing.T) {
	released, current := mustParseAPI(t, releasedAPI), mustParseAPI(t, committedAPI)
	for _, change := range breakingChanges(t, released, current) {
		t.Errorf("breaks programs of others: %s", change)
	}

	// That the comparison sees what it should.
	b, err := os.ReadFile(committedAPI)
	if err != nil {
		t.Fatal(err)
	}
	spoilt, err := libopenapi.NewDocument([]byte(strings.Replace(string(b), `"/v1/quotes/{id}"`, `"/v1/quote/{id}"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if len(breakingChanges(t, current, spoilt)) == 0 {
		t.Error("a path that is gone breaks nothing")
	}
}

func breakingChanges(t *testing.T, before, after libopenapi.Document) (breaking []string) {
	t.Helper()
	changes, err := libopenapi.CompareDocuments(before, after)
	if err != nil {
		t.Fatal(err)
	}
	if changes == nil {
		return nil
	}
	for _, c := range changes.GetAllChanges() {
		if c.Breaking {
			breaking = append(breaking, c.Property+": "+c.Original+" → "+c.New)
		}
	}
	return breaking
}
