package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/internal/rest"
)

const aUser = "8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10"

// runAsUser runs a command that asks path as a user, and prints what it found out.
func runAsUser(t *testing.T, env map[string]string, path string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	p := &program{getenv: func(n string) string { return env[n] }, stdout: &out, stderr: &talk, now: time.Now}
	root := p.command()
	act := &cli.Command{Name: "act", Flags: userFlags(), Action: func(ctx context.Context, c *cli.Command) error {
		client, err := p.connectUser(ctx, c)
		if err != nil {
			return err
		}
		answer := map[string]any{}
		err = client.get(ctx, path, nil, &answer)
		if closeErr := client.close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		return p.printJSON(answer)
	}}
	p.prepare(act, "quotekit act")
	root.Commands = append(root.Commands, act)
	code = p.report(root.Run(context.Background(), append([]string{"quotekit", "act"}, args...)))
	return code, out.String(), talk.String()
}

func TestConnectUser_OverTheNetwork(t *testing.T) {
	t.Chdir(t.TempDir())
	const secret, issuer = "a secret that is long enough for HS256", "https://p.supabase.co/auth/v1"
	j, err := rest.NewJWT(t.Context(), rest.JWTConfig{Secrets: []string{secret}, Issuer: issuer, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rest.RequireUser(j.Authenticate)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest.WriteJSON(w, r, 200, map[string]string{"user": rest.ActorFrom(r.Context()).UserID})
	})))
	defer server.Close()
	given, err := rest.MintJWT(secret, rest.UserClaims{UserID: "00000000-0000-4000-8000-000000000001", Expires: time.Now().Add(time.Hour), IssuedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	configured := map[string]string{"SUPABASE_JWT_SECRET": secret, "SUPABASE_URL": "https://p.supabase.co/"}

	tests := []struct {
		name string
		env  map[string]string
		args []string
		code int
		want string // in stdout or stderr
	}{
		{"made for --user", configured, []string{"--user", strings.ToUpper(aUser)}, exitDone, aUser},
		{"given", nil, []string{"--token", given}, exitDone, "00000000-0000-4000-8000-000000000001"},
		{"given beside a secret", configured, []string{"--token", given}, exitDone, "00000000-0000-4000-8000-000000000001"},
		{"nobody", configured, nil, exitUsage, "try: quotekit act --user UUID"},
		{"no secret", nil, []string{"--user", aUser}, exitConfig, "try: set SUPABASE_JWT_SECRET"},
		{"another secret", map[string]string{"SUPABASE_JWT_SECRET": "another"}, []string{"--user", aUser}, exitNotAllowed, "try: give --token"},
		{"an operator's token", nil, []string{"--token", "s3cret"}, exitNotAllowed, "JWT of a user"},
		{"no UUID", configured, []string{"--user", "ada"}, exitUsage, `--user is "ada"`},
		{"both", configured, []string{"--user", aUser, "--token", given}, exitUsage, "leave --user out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := runAsUser(t, tt.env, "/", append(tt.args, "--url", server.URL)...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("exit code %d, want %d with %q\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, secret) || strings.Contains(stdout+stderr, given) {
				t.Errorf("a secret is shown:\n%s%s", stdout, stderr)
			}
		})
	}
}

// TestConnectUser_InProcess: whoever can open the database can be any user, and
// needs no configuration for it. The route is an operators' one, which says who
// the caller is not.
func TestConnectUser_InProcess(t *testing.T) {
	t.Chdir(t.TempDir())
	env := map[string]string{"QUOTEKIT_ADDR": "127.0.0.1:1"}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"quotekit", "migrate", "up"}, func(n string) string { return env[n] }, nil, &out, &out); code != exitDone {
		t.Fatalf("migrate: exit code %d\n%s", code, &out)
	}
	code, _, stderr := runAsUser(t, env, eventsPath, "--user", aUser)
	if code != exitNotAllowed || !strings.Contains(stderr, "needs the role viewer; yours is none") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if code, _, stderr = runAsUser(t, env, eventsPath); code != exitUsage {
		t.Errorf("without a user: exit code %d\n%s", code, stderr)
	}
}
