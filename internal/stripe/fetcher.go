package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// fetchTimeout bounds a fetch with its retries, whoever waits for it.
	fetchTimeout = 20 * time.Second
	// keptAnswers bounds the answers that are kept for those who ask a little
	// later. At some 5 kB each they are a few megabytes.
	keptAnswers = 512
)

// Fetcher fetches the current state of objects, each once for all who ask at the
// same time.
type Fetcher struct {
	client *Client
	now    func() time.Time
	flight singleflight.Group

	mu    sync.Mutex
	kept  map[Reference]fetched
	order []Reference // of kept, the oldest first
}

// fetched is an answer and when it was asked for.
type fetched struct {
	object Object
	begun  time.Time
}

// NewFetcher makes a fetcher. The clock is that of the instants that
// [Fetcher.Current] is given.
func NewFetcher(c *Client, now func() time.Time) *Fetcher {
	return &Fetcher{client: c, now: now, kept: map[Reference]fetched{}}
}

// Current returns the object as Stripe shows it at notBefore or later: an answer
// to a request that began then counts, whoever made it. Kind is empty for a
// setup intent, which is not mirrored.
//
// An object that was deleted is {id, object, "deleted": true}. What cannot be
// fetched, whenever one tries, is a [quotekit.Permanent] error: an unknown type,
// an object of the other mode than the key, one that Stripe does not find, a key
// without permission. It must not be called while a transaction is open.
func (f *Fetcher) Current(ctx context.Context, ref Reference, notBefore time.Time) (Object, error) {
	found, err := ref.check(f.client.Livemode())
	if err != nil {
		return Object{}, err
	}
	for {
		if a, ok := f.recall(ref); ok && !a.begun.Before(notBefore) {
			return a.object, nil
		}
		// The request goes on when the one who began it goes away.
		began := f.flight.DoChan(fmt.Sprintf("%s\x00%t\x00%s\x00%s", ref.Account, ref.Livemode, ref.Type, ref.ID), func() (any, error) {
			// Another request may have ended since the look above.
			if a, ok := f.recall(ref); ok && !a.begun.Before(notBefore) {
				return a, nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
			defer cancel()
			return f.fetch(ctx, ref, found)
		})
		select {
		case <-ctx.Done():
			return Object{}, ctx.Err()
		case r := <-began:
			if a, ok := r.Val.(fetched); ok && r.Err == nil && !a.begun.Before(notBefore) {
				return a.object, nil
			}
			if r.Err != nil {
				return Object{}, r.Err
			}
			// It had begun too early for this caller: another one.
		}
	}
}

// Look returns the object as Stripe shows it now, for somebody who waits: with one
// request, of the same budget, which is not made again when it fails. What it says
// of deleted objects and of permanent errors is as of [Fetcher.Current].
func (f *Fetcher) Look(ctx context.Context, ref Reference) (Object, error) {
	found, err := ref.check(f.client.Livemode())
	if err != nil {
		return Object{}, err
	}
	r, err := f.client.once(ctx, ref.Account, ref.path(found))
	return ref.read(found, r, err)
}

// fetch makes the request, and keeps its answer.
func (f *Fetcher) fetch(ctx context.Context, ref Reference, found resource) (fetched, error) {
	a := fetched{begun: f.now()}
	r, err := f.client.get(ctx, ref.Account, ref.path(found), nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return a, fmt.Errorf("a %s could not be fetched within %s", ref.Type, fetchTimeout)
	}
	if a.object, err = ref.read(found, r, err); err != nil {
		return a, err
	}
	f.keep(ref, a)
	return a, nil
}

// read makes an object of the answer to a request for it.
func (r Reference) read(found resource, answer reply, err error) (Object, error) {
	switch {
	case err == nil:
		if !isObjectNamed(answer.body, r.ID) {
			return Object{}, fmt.Errorf("the answer to a request for a %s is another thing", r.Type)
		}
	case found.goneIfMissing && IsMissing(err):
		var missing *APIError
		errors.As(err, &missing)
		answer = reply{r.gone(), missing.asOf}
	default:
		return Object{}, err
	}
	return Object{Kind: found.kind, ID: r.ID, JSON: answer.body, Account: r.Account, Livemode: r.Livemode, AsOf: answer.asOf}, nil
}

func (f *Fetcher) recall(ref Reference) (fetched, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.kept[ref]
	return a, ok
}

func (f *Fetcher) keep(ref Reference, a fetched) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.kept[ref]; !ok {
		f.order = append(f.order, ref)
		if len(f.order) > keptAnswers {
			delete(f.kept, f.order[0])
			f.order = f.order[1:]
		}
	}
	f.kept[ref] = a
}

// isObjectNamed reports whether b is a JSON object with this id.
func isObjectNamed(b []byte, id string) bool {
	var o struct {
		ID string `json:"id"`
	}
	return json.Unmarshal(b, &o) == nil && o.ID == id
}
