package alert

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
)

// email sends plain text through a mail server.
type email struct {
	linker
	from    string
	to      []*netmail.Address
	host    string
	options []mail.Option
}

// newEmail reads the addresses, and the URL of the server:
//
//	smtp://user:password@host:587?from=quotekit@example.com
//
// smtps:// is TLS from the start (port 465); smtp:// is STARTTLS (port 587), which
// has to be there if there is a password, unless the server is on this machine.
// Without from the sender is the user, if that is an address, else the first of those
// the mail goes to.
func newEmail(addresses, server string, links linker) (*email, error) {
	to, err := netmail.ParseAddressList(addresses)
	if err != nil {
		return nil, fmt.Errorf("read the addresses for alerts: %w", err)
	}
	u, err := url.Parse(server)
	if err != nil {
		return nil, errors.New("the URL of the mail server cannot be read") // the library's error quotes the password
	}
	e := &email{linker: links, to: to, host: u.Hostname(), from: u.Query().Get("from")}
	user := u.User.Username()
	if _, err := netmail.ParseAddress(user); e.from == "" && err == nil {
		e.from = user
	}
	if e.from == "" {
		e.from = to[0].Address
	}
	port := 587
	policy := mail.TLSOpportunistic
	if u.Scheme == "smtps" {
		port = 465
		e.options = append(e.options, mail.WithSSL())
	} else {
		if password, ok := u.User.Password(); ok && password != "" && !isLoopback(e.host) {
			policy = mail.TLSMandatory
		}
		e.options = append(e.options, mail.WithTLSPolicy(policy))
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, errors.New("the port of the mail server is not a number")
		}
	}
	e.options = append(e.options, mail.WithPort(port), mail.WithTimeout(sendWithin))
	if password, ok := u.User.Password(); ok {
		e.options = append(e.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	return e, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (e *email) name() string { return Email }

func (e *email) send(ctx context.Context, m message) error {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(e.from); err != nil {
		return fmt.Errorf("set the sender: %w", err)
	}
	msg.ToMailAddress(e.to...)
	msg.Subject("[QuoteKit] " + oneLine(m.title()))
	msg.SetMessageIDWithValue(m.ID + "@quotekit")
	msg.SetDateWithValue(m.CreatedAt)
	msg.SetBodyString(mail.TypeTextPlain, e.text(m))
	client, err := mail.NewClient(e.host, e.options...)
	if err != nil {
		return fmt.Errorf("make a mail client: %w", err)
	}
	return client.DialAndSendWithContext(ctx, msg)
}

// text is the body.
func (e *email) text(m message) string {
	var b strings.Builder
	for n, i := range m.Items {
		if n == shownItems {
			fmt.Fprintf(&b, "… and %d more: %s\n", len(m.Items)-n, e.link("/dashboard/alerts"))
			break
		}
		fmt.Fprintf(&b, "%s: %s\n%s\n", strings.ToUpper(i.headline()), oneLine(i.name()), oneLine(i.Alert.Summary))
		if i.Event != toldTest {
			fmt.Fprintf(&b, "since %s\nlook: %s\nwhat to do: %s\n", i.Alert.Since.UTC().Format("2006-01-02 15:04:05 UTC"), e.link(i.Alert.Link), i.Alert.Runbook)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// oneLine keeps a text that came from outside on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
