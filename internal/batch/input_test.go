package batch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
)

func TestReadItems(t *testing.T) {
	const a, b = "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b", "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5c"
	tests := []struct {
		kind  quotekit.OperationKind
		items string
		want  string // ids, "=" behind a duplicate, "!" for a problem
	}{
		{quotekit.OperationDelete, `["` + a + `","` + b + `","` + strings.ToUpper(a) + `","` + a + `"]`, a + " " + b + " " + a + "= " + a + "="},
		{quotekit.OperationDelete, `["00000000-0000-0000-0000-000000000000"]`, "00000000-0000-0000-0000-000000000000"},
		{quotekit.OperationUpdate, `["{` + a + `}","` + strings.ReplaceAll(a, "-", "") + `","urn:uuid:` + a + `",7,null,[],{},"",true]`, "! ! ! ! ! ! ! ! !"},
		{quotekit.OperationExport, `["\u0030` + a[1:] + `","` + a + `"]`, a + " " + a + "="},
		{quotekit.OperationCreate, `[{},{},"` + a + `",null,[]]`, " ! ! !"},
	}
	for _, tt := range tests {
		var raw []json.RawMessage
		if err := json.Unmarshal([]byte(tt.items), &raw); err != nil {
			t.Fatal(err)
		}
		items, problems := readItems(tt.kind, raw)
		wrong := map[string]bool{}
		for _, p := range problems {
			wrong[p.Field] = p.Message != ""
		}
		var got []string
		for i, it := range items {
			text := it.id
			if it.verdict != nil {
				text += "="
				if it.verdict.Code != quotekit.ItemDuplicate || it.verdict.Outcome != quotekit.Skipped || it.verdict.Position != i {
					t.Errorf("%s: got %+v", tt.items, it.verdict)
				}
			}
			if wrong[fmt.Sprintf("items[%d]", i)] {
				text = "!"
			} else if it.position != i {
				t.Errorf("%s: item %d has the position %d", tt.items, i, it.position)
			}
			got = append(got, text)
		}
		if got := strings.Join(got, " "); strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
			t.Errorf("%s: got %q, want %q", tt.items, got, tt.want)
		}
	}
}

func TestPreferredWait(t *testing.T) {
	for _, tt := range []struct {
		headers string // by "|"
		want    string
	}{
		{"", "0 false"},
		{"wait=5", "5 true"},
		{"wait=20", "20 true"},
		{"wait=21", "20 true"},
		{" WAIT = 5 ", "5 true"},
		{`wait="5"`, "5 true"},
		{"return=minimal|wait=5", "5 true"},
		{"wait=5, wait=6", "5 true"},
		{"wait=0", "0 false"},
		{"wait=-5", "0 false"},
		{"wait=5.5", "0 false"},
		{"wait", "0 false"},
		{"waiting=5", "0 false"},
		{"wait=99999999999999999999", "0 false"},
		{"respond-async", "0 false"},
		{"respond-async, wait=5", "5 true"},
		{",,;=\"", "0 false"},
	} {
		seconds, ok := preferredWait(strings.Split(tt.headers, "|"))
		if got := fmt.Sprint(seconds, ok); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.headers, got, tt.want)
		}
	}
}

func TestReadRepeat(t *testing.T) {
	for body, want := range map[string]string{
		`{}`: "false", `{"dry_run":true}`: "true", `{"dry_run":false}`: "false", ` {"dry_run" : true} `: "true",
		`null`: "!", `[]`: "!", `{"dry_run":null}`: "!", `{"dry_run":1}`: "!", `{"DRY_RUN":true}`: "!", `{"dry_run":true,"x":1}`: "!",
		`{"dry_run":true,"dry_run":true}`: "!", `{"dry_run":true}}`: "!", `{"dry_run":true`: "!", "\xff": "!",
	} {
		again, err := readRepeat([]byte(body), true)
		got := fmt.Sprint(again.DryRun)
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
		if _, err := readRepeat([]byte(body), false); (err == nil) != (body == `{}`) {
			t.Errorf("%s, where there is no dry run: got %v", body, err)
		}
	}
}
