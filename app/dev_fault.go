package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// FaultMark is what quotekit trigger --fail puts in the place of an object's
// metadata: a string where every handler wants an object.
const FaultMark = "quotekit_fault"

// faultSwitch decides whether events with the [FaultMark] fail. While it is
// on, the handler sees the object as it is and rejects it. Once it is off, the
// handler sees it with empty metadata, as if the bug had been repaired, so that
// a replay succeeds.
type faultSwitch struct {
	on atomic.Bool
}

func newFaultSwitch() *faultSwitch {
	f := new(faultSwitch)
	f.on.Store(true)
	return f
}

func (f *faultSwitch) wrap(routes []quotekit.Route) []quotekit.Route {
	wrapped := slices.Clone(routes)
	for i := range wrapped {
		handle := wrapped[i].Handle
		wrapped[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
			if !f.on.Load() && gjson.GetBytes(e.Object, "metadata").Str == FaultMark {
				healed, err := sjson.SetRawBytes(e.Object, "metadata", []byte("{}"))
				if err != nil {
					return quotekit.Changes{}, quotekit.Permanent(err)
				}
				e.Object = healed
			}
			return handle(ctx, e)
		}
	}
	return wrapped
}

// mount serves POST /dev/fault {"on": true|false}.
func (f *faultSwitch) mount(mux *http.ServeMux, auth rest.Authenticator, logger *slog.Logger) {
	type state struct {
		On *bool `json:"on"`
	}
	handle := rest.Handle(logger, func(w http.ResponseWriter, r *http.Request) error {
		var want state
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&want); err != nil || want.On == nil {
			return quotekit.Errorf(quotekit.EInvalid, `The body must be {"on": true} or {"on": false}.`)
		}
		f.on.Store(*want.On)
		rest.WriteJSON(w, r, http.StatusOK, want)
		return nil
	})
	mux.Handle("POST /dev/fault", rest.Require(auth, rest.RoleAdmin)(handle))
}
