package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// mustFill sends the heads and the first bytes of one request more than there is
// room for, waits until one is refused, and returns the others.
func (s *service) mustFill(room int, path string, headers ...string) (held []net.Conn) {
	s.t.Helper()
	head := "POST " + path + " HTTP/1.1\r\nHost: quotekit\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
	for i := 0; i+1 < len(headers); i += 2 {
		head += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	type answered struct {
		conn   net.Conn
		status string
	}
	answers := make(chan answered, room+1)
	for range room + 1 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprint(conn, head+"\r\n{"); err != nil {
			s.t.Fatal(err)
		}
		held = append(held, conn)
		go func() {
			line, _ := bufio.NewReader(conn).ReadString('\n') // empty when it is closed
			answers <- answered{conn, line}
		}()
	}
	select {
	case a := <-answers:
		if !strings.HasPrefix(a.status, "HTTP/1.1 503") {
			s.t.Fatalf("got %q for one of %d requests to %s", a.status, room+1, path)
		}
		return slices.DeleteFunc(held, func(c net.Conn) bool { return c == a.conn })
	case <-time.After(5 * time.Second):
		s.t.Fatalf("none of %d requests to %s was refused", room+1, path)
	}
	return nil
}

// TestLimits_EveryKindOfRequestHasItsShare fills up one share after the other. Of
// ten requests in flight six are deliveries, three anything else, one a stream.
func TestLimits_EveryKindOfRequestHasItsShare(t *testing.T) {
	c := batchConfig(storetest.SQLiteURL(t, tables))
	c.MaxInFlight = 10
	s := mustStartWith(t, c, app.Options{Role: app.RoleWeb})
	u := s.user()
	deliver := func() int { return s.post(product("evt_1", "prod_1")).HTTP }
	list := func() int { return s.statusOf("GET", "/v1/monitor/events", "Bearer "+token) }
	job := u.submit("update_quote_status", s.quotes(u, 1, nil), status("sent")) // nobody works on it
	stream := func(ctx context.Context) int {
		req, err := u.request("GET", jobsURL+"/"+job.ID+"/events", "")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		context.AfterFunc(ctx, func() { _ = resp.Body.Close() })
		return resp.StatusCode
	}
	becomes := func(what string, want int, ask func() int) {
		t.Helper()
		eventually(t, 10*time.Second, fmt.Sprintf("%s answers %d", what, want), func() bool { return ask() == want })
	}
	short, end := context.WithCancel(t.Context())
	defer end()

	deliveries := s.mustFill(6, "/webhooks/stripe")
	if got := deliver(); got != 503 {
		t.Errorf("a delivery beside six: got %d", got)
	}
	if got := list(); got != 200 {
		t.Errorf("a list beside six deliveries: got %d", got)
	}
	others := s.mustFill(3, "/v1/monitor/events/evt_1/replay", "Authorization", "Bearer "+token)
	if got := list(); got != 503 {
		t.Errorf("a list beside three requests: got %d", got)
	}
	if got := stream(short); got != 200 {
		t.Errorf("the first stream: got %d", got)
	}
	if got := stream(t.Context()); got != 503 {
		t.Errorf("the second stream: got %d", got)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if got := s.statusOf("GET", path, ""); got != 200 {
			t.Errorf("%s: got %d while all shares are taken", path, got)
		}
	}
	resp, body := s.do(mustRequest(t, s.URL()+"/v1/monitor/events"), nil)
	if resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"unavailable"`) {
		t.Errorf("got %v %s", resp.Header, body)
	}

	end()
	becomes("a stream after the first", 200, func() int {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return stream(ctx)
	})
	_ = deliveries[0].Close()
	becomes("a delivery when one is gone", 200, deliver)
	_ = others[0].Close()
	becomes("a list when one is gone", 200, list)
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestLimits_SlowSendersAreCut: of a request that does not come, neither head nor
// body is waited for.
func TestLimits_SlowSendersAreCut(t *testing.T) {
	s := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{Role: app.RoleWeb})
	for name, begin := range map[string]string{
		"head": "POST /webhooks/stripe HTTP/1.1\r\nHost: quotekit\r\nX-Slow: ",
		"body": "POST /webhooks/stripe HTTP/1.1\r\nHost: quotekit\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := fmt.Fprint(conn, begin); err != nil {
				t.Fatal(err)
			}
			// A byte now and then does not help.
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				tick := time.NewTicker(200 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						_, _ = fmt.Fprint(conn, "x") // fails when it is cut
					}
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(40 * time.Second))
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode/100 != 4 || !resp.Close {
					t.Errorf("got %d, close %v", resp.StatusCode, resp.Close)
				}
				_, err = r.ReadByte()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}
