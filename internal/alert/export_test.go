package alert

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/quotekit/quotekit/internal/store"
)

// Hold does what an evaluation does that has found these conditions, by rule.
func (s *Service) Hold(ctx context.Context, conditions map[string]Condition) error {
	var holding []found
	for _, r := range s.rules {
		if c, ok := conditions[r.Name]; ok {
			holding = append(holding, found{r, c})
		}
	}
	return s.store.WithTx(ctx, func(tx *store.Tx) error { return s.change(ctx, tx, s.Now(), holding) })
}

// Deliver makes an attempt at a message.
func (s *Service) Deliver(ctx context.Context, messageID string) (time.Duration, error) {
	return s.deliver(ctx, messageID)
}

// Check asks a rule.
func (r Rule) Found(m *Measures) []Condition { return r.Check(m, r.Limits) }

// Pauses are those between two attempts.
func Pauses() []time.Duration { return pauses }

// SendMail sends a test message as the channel with these settings does, over
// connections that dial makes, if it is not nil, trusting what c trusts.
func SendMail(ctx context.Context, addresses, server string, dial func(context.Context, string, string) (net.Conn, error), c *tls.Config) error {
	e, err := newEmail(addresses, server, linker{})
	if err != nil {
		return err
	}
	e.options = append(e.options, mail.WithTLSConfig(c))
	if dial != nil {
		e.options = append(e.options, mail.WithDialContextFunc(dial))
	}
	return e.send(ctx, message{ID: "1", CreatedAt: time.Unix(1_790_000_000, 0), Items: []item{{Event: toldTest}}})
}
