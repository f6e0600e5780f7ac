package alert_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quotekit/quotekit/internal/alert"
)

// mailServer takes mail, as far as a client needs that sends it.
type mailServer struct {
	t    *testing.T
	addr string

	mu sync.Mutex
	// startTLS is what STARTTLS uses; nil if the server has none.
	startTLS *tls.Config
	mails    []string // header and body, with lines that end in \n
	// secure and logins are how the mails came: over TLS or not, and with which AUTH.
	secure []bool
	logins []string
	to     []string
	refuse bool
}

func newMailServer(t *testing.T) *mailServer { return newMailServerOver(t, nil) }

// newMailServerOver makes a server whose connections are TLS from the start, unless
// the configuration is nil.
func newMailServerOver(t *testing.T, c *tls.Config) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		l = tls.NewListener(l, c)
	}
	m := &mailServer{t: t, addr: l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return m
}

func (m *mailServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	say := func(text string) { fmt.Fprint(conn, text+"\r\n") }
	say("220 mail.example ready")
	lines := bufio.NewScanner(conn)
	var to []string
	_, secure := conn.(*tls.Conn)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail.example")
			if m.startTLS != nil && !secure {
				say("250-STARTTLS")
			}
			say("250-AUTH PLAIN")
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			conn, secure = tls.Server(conn, m.startTLS), true
			lines = bufio.NewScanner(conn)
		case "AUTH":
			m.mu.Lock()
			m.logins = append(m.logins, fmt.Sprint(secure, " ", rest))
			m.mu.Unlock()
			say("235 welcome")
		case "RCPT":
			to = append(to, strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>"))
			m.mu.Lock()
			refuse := m.refuse
			m.mu.Unlock()
			if refuse {
				say("550 no such user " + rest)
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var mail strings.Builder
			for lines.Scan() && lines.Text() != "." {
				mail.WriteString(lines.Text() + "\n")
			}
			m.mu.Lock()
			m.mails = append(m.mails, mail.String())
			m.to = append(m.to, to...)
			m.secure = append(m.secure, secure)
			m.mu.Unlock()
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// take returns the mails since the last call, and whom they were for.
func (m *mailServer) take() (mails, to []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mails, to = m.mails, m.to
	m.mails, m.to = nil, nil
	return mails, to
}

func (m *mailServer) refuseAll(refuse bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = refuse
}

// TestMail_IsSentOverTLS sends mail to servers that offer TLS and to some that do not:
// a password goes over TLS, or to this machine.
func TestMail_IsSentOverTLS(t *testing.T) {
	trusted := httptest.NewTLSServer(nil) // its certificate is for example.com and 127.0.0.1
	defer trusted.Close()
	server, client := trusted.TLS.Clone(), trusted.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	server.NextProtos, client.ServerName = nil, "example.com"
	login := "PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00ada\x00secret"))
	for name, test := range map[string]struct {
		url      string
		startTLS bool
		trust    bool
		// want is how the mail came, "" if it did not.
		want   string
		logins []string
	}{
		"STARTTLS and a password":           {"smtp://ada:secret@example.com", true, true, "tls", []string{"true " + login}},
		"STARTTLS":                          {"smtp://example.com", true, true, "tls", nil},
		"TLS from the start and a password": {"smtps://ada:secret@127.0.0.1", false, true, "tls", []string{"true " + login}},
		"no TLS":                            {"smtp://example.com", false, true, "plain", nil},
		"a password and no TLS":             {"smtp://ada:secret@example.com", false, true, "", nil},
		"a password in clear text, even on this machine": {"smtp://ada:secret@127.0.0.1", false, true, "", nil},
		"STARTTLS by a stranger":                         {"smtp://ada:secret@example.com", true, false, "", nil},
		"TLS by a stranger":                              {"smtps://ada:secret@127.0.0.1", false, false, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			trust := client.Clone()
			if !test.trust {
				trust.RootCAs = x509.NewCertPool()
			}
			m := newMailServer(t)
			if test.startTLS {
				m.startTLS = server
			}
			if strings.HasPrefix(test.url, "smtps") {
				m = newMailServerOver(t, server)
			}
			url, dial := test.url, func(ctx context.Context, network, _ string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, m.addr)
				if err == nil {
					t.Cleanup(func() { _ = conn.Close() }) // the client leaves it open after some errors
				}
				return conn, err
			}
			if strings.HasPrefix(url, "smtps") { // the client dials that itself
				_, port, _ := net.SplitHostPort(m.addr)
				url, dial = url+":"+port, nil
			}
			err := alert.SendMail(t.Context(), "ops@example.com", url, dial, trust)
			mails, _ := m.take()
			m.mu.Lock()
			defer m.mu.Unlock()
			if (err == nil) != (test.want != "") || len(mails) != len(m.secure) || (len(mails) == 1) != (test.want != "") {
				t.Fatalf("got %v and %d mails, want it sent: %t", err, len(mails), test.want != "")
			}
			if test.want != "" && m.secure[0] != (test.want == "tls") {
				t.Errorf("sent over TLS: %t, want %s", m.secure[0], test.want)
			}
			if !slices.Equal(m.logins, test.logins) {
				t.Errorf("got logins %q, want %q", m.logins, test.logins)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
}
