package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

func (p *program) tokenCommand() *cli.Command {
	return &cli.Command{
		Name:  "token",
		Usage: "make the JWT of a user, for local use",
		Description: "It is signed with the secret of the running quotekit dev, else with SUPABASE_JWT_SECRET, and\n" +
			"looks like those of Supabase.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "user", Usage: "`UUID` of the user (default: that of quotekit dev)"},
			&cli.StringFlag{Name: "role", Usage: "the user is also an operator: viewer, operator or admin"},
			&cli.BoolFlag{Name: "admin", Usage: "short for --role admin"},
			&cli.DurationFlag{Name: "ttl", Value: time.Hour, Usage: "how long the token is valid, like 10m"},
			&cli.StringFlag{Name: "data", Value: app.DefaultDevDir, Usage: "data `FOLDER` of quotekit dev"},
		},
		Action: p.token,
	}
}

const tokenHelp = "quotekit token --help"

// maxTokenLife keeps a slip of the finger from making a key for ever.
const maxTokenLife = 365 * 24 * time.Hour

func (p *program) token(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	user, err := userFlag(c)
	if err != nil {
		return err
	}
	role, err := roleFlag(c)
	if err != nil {
		return err
	}
	life := c.Duration("ttl")
	if life < time.Second || life > maxTokenLife {
		return usagef(tokenHelp, "--ttl is %s, not between a second and a year", life)
	}
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	secret := cfg.SupabaseJWTSecret
	now := p.now()
	claims := rest.UserClaims{UserID: user, Role: role, Issuer: cfg.SupabaseIssuer(), IssuedAt: now, Expires: now.Add(life)}
	if dev, ok := p.runningDev(ctx, c, cfg); ok {
		secret = dev.JWTSecret
		claims = devClaims(claims, dev)
	}
	token, err := mint(c, secret, claims)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return p.printJSON(struct {
			Token     string    `json:"token"`
			UserID    string    `json:"user_id"`
			Role      string    `json:"role"`
			ExpiresAt time.Time `json:"expires_at"`
		}{token, claims.UserID, role.String(), claims.Expires.UTC().Truncate(time.Second)})
	}
	if _, err := fmt.Fprintln(p.stdout, token); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func roleFlag(c *cli.Command) (rest.Role, error) {
	role := rest.ParseRole(c.String("role"))
	switch {
	case c.IsSet("role") && role == rest.RoleNone:
		return role, usagef(tokenHelp, "the role %q is not viewer, operator or admin", c.String("role"))
	case c.Bool("admin") && c.IsSet("role") && role != rest.RoleAdmin:
		return role, usagef(tokenHelp, "--admin and --role %s contradict each other", role)
	case c.Bool("admin"):
		return rest.RoleAdmin, nil
	}
	return role, nil
}
