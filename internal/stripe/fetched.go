package stripe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/quotekit/quotekit"
)

// APIVersion is the version in which this program asks for objects.
const APIVersion = "2026-03-25.dahlia"

// Object is an object as Stripe's API showed it.
type Object struct {
	Kind quotekit.Kind
	ID   string
	// JSON is the object. Of one that is gone it is {id, object, "deleted": true}.
	JSON     json.RawMessage
	Account  string
	Livemode bool
	// AsOf is the last second that was over when Stripe answered, by its Date
	// header less one: the object shows all that happened up to its end.
	AsOf quotekit.Seconds
}

// FetchedType is the type of the events of our own that [FetchedEvent] makes.
func FetchedType(kind quotekit.Kind) string { return "quotekit." + string(kind) + ".fetched" }

func isFetchedType(name string) bool {
	return strings.HasPrefix(name, "quotekit.") && strings.HasSuffix(name, ".fetched")
}

// FetchedEvent makes an event of our own of an object that was fetched, so that
// it takes the way of all events. Fetched again in another second, it is another
// event.
func FetchedEvent(o Object) ([]byte, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%t\x00%s\x00%s\x00%d", o.Account, o.Livemode, o.Kind, o.ID, o.AsOf))
	type data struct {
		Object json.RawMessage `json:"object"`
	}
	b, err := json.Marshal(struct {
		ID         string           `json:"id"`
		Object     string           `json:"object"`
		Account    string           `json:"account,omitempty"`
		APIVersion string           `json:"api_version"`
		Created    quotekit.Seconds `json:"created"`
		Livemode   bool             `json:"livemode"`
		Type       string           `json:"type"`
		Data       data             `json:"data"`
	}{
		"fetched_" + hex.EncodeToString(sum[:16]), "event", o.Account, APIVersion, o.AsOf, o.Livemode,
		FetchedType(o.Kind),
		data{o.JSON},
	})
	if err != nil {
		return nil, fmt.Errorf("make an event of %s: %w", o.ID, err)
	}
	return b, nil
}
