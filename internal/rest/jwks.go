package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/quotekit/quotekit"
)

const (
	// keySetTimeout is how long one read of the key set may take, and so how
	// long a request can wait for it.
	keySetTimeout = 3 * time.Second
	// keySetPause is the least time between two reads that tokens ask for, which
	// anybody can make up.
	keySetPause = 10 * time.Second
	// keySetEvery is when keys are read anew without being asked, so that one
	// that was revoked is forgotten.
	keySetEvery = 10 * time.Minute
	// After a failure it is read again after keySetRetry, then after twice that,
	// and so on, at least every keySetRetryMax.
	keySetRetry    = 5 * time.Second
	keySetRetryMax = time.Minute
	maxKeySet      = 256 << 10
)

// keySet keeps the public keys of an address. The library's own client is not
// used: its reads end with the request that caused them, its limit turns away
// those who ask while a read is under way, one bad key spoils the set, and it
// follows the addresses (x5u) that keys name.
type keySet struct {
	jwkset.Storage // the keys of the last good answer, in memory

	url    string
	client *http.Client
	now    func() time.Time
	logger *slog.Logger
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	running chan struct{} // closed at the end of the read that is under way; nil if none is
	begun   time.Time     // when the last read began
	known   bool          // there was a good answer
	failing bool          // the last answer was not good
}

// newKeySet reads the keys for the first time in the background.
func newKeySet(ctx context.Context, c JWTConfig) *keySet {
	client := http.Client{}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	client.Timeout = keySetTimeout
	// A redirect could lead anywhere, and to http.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	k := &keySet{
		Storage: jwkset.NewMemoryStorage(),
		url:     c.JWKSURL, client: &client, now: c.Now, logger: c.Logger,
	}
	k.ctx, k.cancel = context.WithCancel(ctx)
	k.mu.Lock()
	k.read()
	k.mu.Unlock()
	k.work.Go(k.keepFresh)
	return k
}

func (k *keySet) close() {
	k.mu.Lock() // no read begins after this
	k.cancel()
	k.mu.Unlock()
	k.work.Wait()
}

// KeyRead returns the key that a token names. If it is not known, the key set
// is read again, unless that was done a moment ago.
func (k *keySet) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	key, err := k.Storage.KeyRead(ctx, kid)
	if !errors.Is(err, jwkset.ErrKeyNotFound) {
		return key, err
	}
	if err := k.refresh(ctx); err != nil {
		return jwkset.JWK{}, err
	}
	return k.Storage.KeyRead(ctx, kid)
}

// KeyReadAll returns the keys that may verify a token which names none.
func (k *keySet) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	if keys, err := k.Storage.KeyReadAll(ctx); err != nil || len(keys) > 0 {
		return keys, err
	}
	if err := k.refresh(ctx); err != nil {
		return nil, err
	}
	return k.Storage.KeyReadAll(ctx)
}

// refresh joins the read that is under way or, if the last one is long enough
// ago, begins one, and waits for its end. Its error means that there was no good
// answer yet, so that nothing can be said about any token.
func (k *keySet) refresh(ctx context.Context) error {
	k.mu.Lock()
	if k.running == nil && k.now().Sub(k.begun) >= keySetPause {
		k.read()
	}
	running := k.running
	k.mu.Unlock()
	if running != nil {
		select {
		case <-running:
		case <-ctx.Done():
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known {
		return quotekit.Errorf(quotekit.EUnavailable, "The key set that verifies the token could not be read yet. Try again in a moment.")
	}
	return nil
}

// read begins a read in the background. It needs mu, and that none is under way.
func (k *keySet) read() {
	if k.ctx.Err() != nil {
		return
	}
	done := make(chan struct{})
	k.running, k.begun = done, k.now()
	k.work.Go(func() {
		keys, skipped, err := k.fetch()
		if err == nil {
			err = k.KeyReplaceAll(k.ctx, keys)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.note(len(keys), skipped, err)
		k.running = nil
		close(done)
	})
}

// note keeps and logs how a read ended; failures once, not each. It needs mu.
func (k *keySet) note(keys, skipped int, err error) {
	switch {
	case k.ctx.Err() != nil:
		return
	case err != nil && !k.failing:
		k.logger.Warn("key set not read", "error", err, "keys_are_kept", k.known)
	case err == nil && (k.failing || !k.known):
		k.logger.Info("key set read", "keys", keys, "keys_not_usable", skipped)
	}
	k.failing = err != nil
	k.known = k.known || err == nil
}

// keepFresh reads the key set now and then until close.
func (k *keySet) keepFresh() {
	pause := keySetRetry
	for {
		k.mu.Lock()
		running := k.running
		k.mu.Unlock()
		if running != nil {
			<-running // bounded by keySetTimeout
		}
		k.mu.Lock()
		failing := k.failing
		k.mu.Unlock()
		wait := keySetEvery
		if failing {
			wait, pause = pause, min(2*pause, keySetRetryMax)
		} else {
			pause = keySetRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-k.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		k.mu.Lock()
		if k.running == nil {
			k.read()
		}
		k.mu.Unlock()
	}
}

// fetch reads the keys that can verify ES256 or RS256, and counts the others.
// Its errors do not show the URL, which may hold a password.
func (k *keySet) fetch() (keys []jwkset.JWK, skipped int, err error) {
	req, err := http.NewRequestWithContext(k.ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, 0, errors.New("the URL of the key set is not usable")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, 0, fmt.Errorf("ask for the key set: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("ask for the key set: the answer is status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("read the key set: %w", err)
	case len(body) > maxKeySet:
		return nil, 0, fmt.Errorf("read the key set: it is larger than %d bytes", maxKeySet)
	}
	return parseKeySet(body)
}

func parseKeySet(body []byte) (keys []jwkset.JWK, skipped int, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, 0, errors.New("read the key set: the answer is not a JSON object with keys")
	}
	for _, text := range set.Keys {
		var m jwkset.JWKMarshal
		if json.Unmarshal(text, &m) != nil || (m.USE != "" && m.USE != jwkset.UseSig) {
			skipped++
			continue
		}
		// Secrets (oct) stay out, private parts are not read, and certificates
		// prove nothing here.
		rs256 := m.KTY == jwkset.KtyRSA && (m.ALG == "" || m.ALG == jwkset.AlgRS256)
		es256 := m.KTY == jwkset.KtyEC && m.CRV == jwkset.CrvP256 && (m.ALG == "" || m.ALG == jwkset.AlgES256)
		m.X5U, m.X5C, m.X5T, m.X5TS256 = "", nil, "", ""
		m.D, m.P, m.Q, m.DP, m.DQ, m.QI, m.OTH, m.K = "", "", "", "", "", "", nil, ""
		key, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil || (!rs256 && !es256) {
			skipped++
			continue
		}
		keys = append(keys, key)
	}
	return keys, skipped, nil
}
