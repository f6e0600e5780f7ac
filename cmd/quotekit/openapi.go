package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
)

func (p *program) openAPICommand() *cli.Command {
	return &cli.Command{
		Name:  "openapi",
		Usage: "print the description of the HTTP API (OpenAPI 3.1)",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			document, err := app.OpenAPI(version())
			if err != nil {
				return err
			}
			if _, err := p.stdout.Write(document); err != nil {
				return fmt.Errorf("print the document: %w", err)
			}
			return nil
		},
	}
}
