package alert

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"syscall"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/quotekit/quotekit"
)

// The names of the channels.
const (
	Webhook      = "webhook"
	Slack        = "slack"
	Email        = "email"
	Alertmanager = "alertmanager"
)

// Channels say where alerts go; what is empty is not used.
type Channels struct {
	WebhookURL string
	// WebhookSecret signs what goes to the webhook; without it nothing is signed.
	WebhookSecret   string
	SlackURL        string
	AlertmanagerURL string
	// Email is a list of addresses, and SMTPURL the server that takes mail for them.
	Email, SMTPURL string
}

// channel sends messages to people.
type channel interface {
	name() string
	// send sends a message once. It may be called again with the same one.
	send(ctx context.Context, m message) error
}

// message is what a channel is told at once.
type message struct {
	ID        string
	CreatedAt time.Time
	Items     []item // one at least, the worst first
}

// item is what is told of one alert.
type item struct {
	Event string
	Alert quotekit.Alert
}

// open makes the channels that are configured.
func (c Channels) open(publicURL string, now func() time.Time) ([]channel, error) {
	p := poster{client: &http.Client{
		// A redirect would turn the POST into a GET, or carry alerts elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	links := linker{strings.TrimRight(publicURL, "/")}
	var list []channel
	if c.WebhookURL != "" {
		list = append(list, &webhook{poster: p, linker: links, url: c.WebhookURL, secret: c.WebhookSecret, now: now})
	}
	if c.SlackURL != "" {
		list = append(list, &slack{poster: p, linker: links, url: c.SlackURL})
	}
	if c.AlertmanagerURL != "" {
		list = append(list, &alertmanager{poster: p, linker: links, url: alertmanagerURL(c.AlertmanagerURL), now: now})
	}
	if c.Email != "" {
		e, err := newEmail(c.Email, c.SMTPURL, links)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// linker makes links to the service absolute.
type linker struct{ base string }

func (l linker) link(path string) string { return l.base + path }

// maxAnswer bounds what is read of an answer, so that the connection can be kept.
const maxAnswer = 64 << 10

// poster posts JSON.
type poster struct{ client *http.Client }

func (p poster) post(ctx context.Context, url string, body []byte, header map[string]string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "QuoteKit")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return statusError(resp.StatusCode)
	}
	return nil
}

// statusError is an answer that is not 2xx.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("the receiver answered %d", int(s)) }

var errNotConfigured = errors.New("this channel is not configured where the alert was to be sent")

// describe tells why an attempt failed, in words that hold no address: those of the
// library quote the URL, which may be a secret.
func describe(err error) string {
	var (
		status   statusError
		dns      *net.DNSError
		errno    syscall.Errno
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		reply    *textproto.Error
		smtp     *mail.SendError
		network  net.Error
	)
	switch {
	case errors.As(err, &status):
		return status.Error()
	case errors.Is(err, errNotConfigured):
		return errNotConfigured.Error()
	case errors.As(err, &reply):
		return fmt.Sprintf("the mail server answered %d", reply.Code)
	case errors.As(err, &smtp) && smtp.ErrorCode() > 0:
		return fmt.Sprintf("the mail server answered %d", smtp.ErrorCode())
	case errors.As(err, &dns):
		return "the name of the host cannot be resolved"
	case errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid):
		return "the certificate of the receiver is not valid"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case errors.As(err, &smtp):
		return "the mail was not taken: " + smtp.Reason.String()
	}
	return "the receiver cannot be talked to"
}
