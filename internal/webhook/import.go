package webhook

import (
	"context"
	"errors"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// Imported is what became of an event that was imported.
type Imported struct {
	EventID string
	Status  quotekit.EventStatus
	// Duplicate reports that the event was there already.
	Duplicate bool
}

// Import takes in events that Stripe did not deliver: from its list of events, or
// of our own. They go the way of all events, but for the signature. It returns
// what became of each, in the same order, or an error if one was not kept; to
// import all of them again is safe. The service must have been started.
func (s *Service) Import(ctx context.Context, actor string, payloads [][]byte) ([]Imported, error) {
	deliveries := make([]*delivery, len(payloads))
	for i, payload := range payloads {
		event, err := stripe.ParseEvent(payload)
		if err != nil && !errors.Is(err, stripe.ErrEnvelope) {
			return nil, quotekit.Permanent(fmt.Errorf("import an event: %w", err))
		}
		d := s.receiver.deliver(ctx, event, err, s.receiver.now())
		d.source = source{actor, store.AuditImported}
		d.requestID = rest.RequestIDFrom(ctx)
		deliveries[i] = d
	}
	for i, d := range deliveries {
		if err := s.group.submit(d); err != nil {
			return nil, errors.Join(fmt.Errorf("import an event: %w", err), await(deliveries[:i]))
		}
	}
	imported := make([]Imported, len(deliveries))
	var failed error
	for i, d := range deliveries {
		a := <-d.done
		if a.err != nil {
			failed = fmt.Errorf("import an event: %w", a.err)
		}
		imported[i] = Imported{d.event.ID, a.status, a.duplicate}
	}
	if failed != nil {
		return nil, failed
	}
	return imported, nil
}

// await waits for deliveries that were submitted already, and returns why one of
// them was not kept.
func await(deliveries []*delivery) error {
	var failed error
	for _, d := range deliveries {
		if a := <-d.done; a.err != nil {
			failed = a.err
		}
	}
	return failed
}
