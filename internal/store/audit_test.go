package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const (
	youngAct = "0b7a2f3e-1c5d-7e6f-8a9b-0c1d2e3f4a01"
	oldAct   = "0b7a2f3e-1c5d-7e6f-8a9b-0c1d2e3f4a02"
)

// TestAudit_IsAppendOnly tries to change and to delete what the audit trail
// tells, in every way that SQL has. Only what is older than 90 days can go.
func TestAudit_IsAppendOnly(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const insert = `INSERT INTO webhook_audit_trail (id, at, actor, action) VALUES ($1, $2, 'ada', 'event.replay')`
		now := time.Now().UTC()
		mustExec(t, s, insert, youngAct, now.AddDate(0, 0, -89))
		mustExec(t, s, insert, oldAct, now.AddDate(0, 0, -91))
		trail := func() string {
			rows, err := s.Reader().QueryContext(t.Context(), `SELECT id, actor FROM webhook_audit_trail ORDER BY id`)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			var lines []string
			for rows.Next() {
				var id, actor string
				if err := rows.Scan(&id, &actor); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, id+" "+actor)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return strings.Join(lines, "\n")
		}
		before := trail()

		again := fmt.Sprintf(`(id, at, actor, action) VALUES ('%s', '%s', 'eve', 'none')`, youngAct, now.Format(time.DateTime))
		refused := []string{
			`UPDATE webhook_audit_trail SET actor = 'eve'`,
			`UPDATE webhook_audit_trail SET actor = 'eve' WHERE id = '` + oldAct + `'`,
			`UPDATE webhook_audit_trail SET at = '2000-01-01 00:00:00' WHERE id = '` + youngAct + `'`,
			`DELETE FROM webhook_audit_trail`,
			`DELETE FROM webhook_audit_trail WHERE id = '` + youngAct + `'`,
			`INSERT INTO webhook_audit_trail ` + again + ` ON CONFLICT (id) DO UPDATE SET actor = 'eve'`,
		}
		if s.Postgres() {
			refused = append(refused, `TRUNCATE webhook_audit_trail`, `TRUNCATE webhook_audit_trail CASCADE`,
				`WITH gone AS (DELETE FROM webhook_audit_trail RETURNING 1) SELECT COUNT(*) FROM gone`,
				`MERGE INTO webhook_audit_trail a USING (SELECT 1) one ON TRUE WHEN MATCHED THEN DELETE`)
		} else {
			refused = append(refused, `INSERT OR REPLACE INTO webhook_audit_trail `+again, `REPLACE INTO webhook_audit_trail `+again,
				`UPDATE OR REPLACE webhook_audit_trail SET id = '`+youngAct+`' WHERE id = '`+oldAct+`'`)
		}
		for _, text := range refused {
			_, err := s.Writer().ExecContext(t.Context(), text)
			if err == nil || !strings.Contains(err.Error(), "webhook_audit_trail is append-only") {
				t.Errorf("%s: got %v", text, err)
			}
		}
		if got := trail(); got != before {
			t.Errorf("got\n%s\nwant\n%s", got, before)
		}

		mustExec(t, s, `DELETE FROM webhook_audit_trail WHERE id = '`+oldAct+`'`)
		if got := trail(); got != youngAct+" ada" {
			t.Errorf("got %s after the retention, want the young act", got)
		}
	})
}
