package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

// userFlags say which service a command talks to, and as which user.
func userFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "user", Usage: "act as the user with this `UUID` (default: that of quotekit dev)"},
		&cli.StringFlag{Name: "token", Usage: "`JWT` of the user, instead of one made for --user"},
	}
	for _, f := range serviceFlags() {
		if f.Names()[0] != "token" {
			flags = append(flags, f)
		}
	}
	return flags
}

// commandTokenLife is how long a token lives that a command makes for itself. It
// covers a long watch.
const commandTokenLife = 12 * time.Hour

// connectUser finds the service as [program.connect] does; the client is a user
// there. Its token is --token, or one made for --user: with the secret of the dev
// mode, with the configured one, or, where the database is opened in this process,
// with one that nobody else knows.
func (p *program) connectUser(ctx context.Context, c *cli.Command) (*client, error) {
	cfg, err := p.config(c, "token") // this one is no operator's
	if err != nil {
		return nil, err
	}
	user, err := userFlag(c)
	if err != nil {
		return nil, err
	}
	if c.IsSet("user") && c.IsSet("token") {
		return nil, usagef(c.FullName()+" --help", "--token says who the user is: leave --user out")
	}
	target, err := p.find(ctx, c, cfg)
	if err != nil {
		return nil, err
	}
	claims := rest.UserClaims{UserID: user, Issuer: cfg.SupabaseIssuer()}
	secret := cfg.SupabaseJWTSecret
	switch {
	case target.dev != nil:
		secret = target.dev.JWTSecret
		claims = devClaims(claims, *target.dev)
	case target.base == "" && !c.IsSet("token"):
		secret = rand.Text() + rand.Text()
		cfg.SupabaseJWTSecret, cfg.SupabaseURL, cfg.SupabaseJWKSURL = secret, "", ""
		claims.Issuer = ""
	}
	token := c.String("token")
	if token == "" {
		claims.IssuedAt = p.now()
		claims.Expires = claims.IssuedAt.Add(commandTokenLife)
		if token, err = mint(c, secret, claims); err != nil {
			return nil, err
		}
	}
	var client *client
	if target.base != "" {
		client = network(target.base, token)
	} else if client, err = p.openInProcess(ctx, cfg, token); err != nil {
		return nil, err
	}
	client.asUser = true
	return client, nil
}

// userFlag reads --user; "" means that it is not given.
func userFlag(c *cli.Command) (string, error) {
	if !c.IsSet("user") {
		return "", nil
	}
	user, ok := rest.ParseUserID(c.String("user"))
	if !ok {
		return "", usagef(c.FullName()+" --help", "--user is %q, not a UUID", c.String("user"))
	}
	return user, nil
}

// devClaims are those of a user of a dev mode. Its issuer, if it has one, is not
// known here.
func devClaims(claims rest.UserClaims, dev app.DevCredentials) rest.UserClaims {
	if claims.UserID == "" {
		claims.UserID = dev.UserID
	}
	claims.Issuer = ""
	return claims
}

// mint makes a token, or says what is missing for one.
func mint(c *cli.Command, secret string, claims rest.UserClaims) (string, error) {
	switch {
	case secret == "":
		return "", failf(exitConfig, "set SUPABASE_JWT_SECRET to the secret of the service, or start quotekit dev",
			"there is no secret to make a user's token with")
	case claims.UserID == "":
		return "", usagef(c.FullName()+" --user UUID", "it has to be said for which user")
	}
	token, err := rest.MintJWT(secret, claims)
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return token, nil
}
