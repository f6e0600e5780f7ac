package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/operations"
)

// A service on a SQLite file, with the tables of the service; rows of one's own are
// appended to them.
func ExampleNew() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	settings := map[string]string{"DATABASE_URL": "sqlite:" + filepath.Join(folder, "quotekit.db"), "QUOTEKIT_ADDR": "127.0.0.1:0"}
	config, err := app.LoadConfig(func(name string) string { return settings[name] }, nil, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := app.New(context.Background(), config, app.Options{Routes: handlers.Routes(), Operations: operations.Operations()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	<-a.Ready()
	resp, err := http.Get(a.URL() + "/readyz")
	if err == nil {
		fmt.Println(resp.Status)
		err = resp.Body.Close()
	}
	stop()
	fmt.Println(err, <-ended, a.Close())
	// Output:
	// 200 OK
	// <nil> <nil> <nil>
}
