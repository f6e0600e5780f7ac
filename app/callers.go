package app

import (
	"context"
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// knowCallers sets who operators and users are. Operators are the bearers of
// tokens of ours, and users with a role in their app_metadata.
func (a *App) knowCallers(ctx context.Context) error {
	a.operators = rest.OperatorTokens(a.config.AdminTokens)
	a.users = func(*http.Request) (rest.Actor, error) {
		return rest.Actor{}, quotekit.Errorf(quotekit.EUnavailable,
			"This service cannot tell users apart: neither SUPABASE_JWT_SECRET nor SUPABASE_URL (or SUPABASE_JWKS_URL) is configured.")
	}
	secrets := a.config.jwtSecrets()
	if (len(secrets) == 0 && a.config.SupabaseJWKSURL == "") || a.options.Role == RoleWorker {
		return nil
	}
	// ctx may end with the start; the keys are read until Close.
	jwt, err := rest.NewJWT(context.WithoutCancel(ctx), rest.JWTConfig{
		Secrets: secrets,
		JWKSURL: a.config.SupabaseJWKSURL,
		Issuer:  a.config.SupabaseIssuer(),
		Now:     a.options.Now,
		Logger:  a.options.Logger,
	})
	if err != nil {
		return err
	}
	a.jwt = jwt
	a.operators = rest.AnyOf(a.operators, jwt.Authenticate)
	a.users = jwt.Authenticate
	return nil
}
