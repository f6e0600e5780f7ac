package storetest_test

import (
	"context"
	"testing"

	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestServer_KeepsItsRowsAndItsURL stops a server in each way and starts it again.
func TestServer_KeepsItsRowsAndItsURL(t *testing.T) {
	server := storetest.StartServer(t, "")
	s := storetest.Open(t, server.URL())
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, stop := range map[string]func(){
		"fast":      func() { server.Stop(storetest.Fast) },
		"immediate": func() { server.Stop(storetest.Immediate) },
		"killed":    func() { server.Stop(storetest.Killed) },
	} {
		stop()
		if err := s.Ping(context.Background()); err == nil || server.Running() {
			t.Errorf("%s: the server still answers", name)
		}
		server.Start()
		again := storetest.Open(t, server.URL())
		if migrations, err := again.MigrationStatus(context.Background()); err != nil || len(migrations) == 0 || migrations[0].AppliedAt.IsZero() {
			t.Errorf("%s: got %v, %v", name, migrations, err)
		}
	}
}
