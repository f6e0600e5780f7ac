package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

const (
	tag = "gaps"
	// maxReason bounds the words of an operator, in bytes.
	maxReason = 2000
)

// StartedTask is the answer to who has started a task.
type StartedTask struct {
	ID     string              `json:"id" format:"uuid"`
	Kind   string              `json:"kind" enum:"reconcile,backfill"`
	Status quotekit.TaskStatus `json:"status"`
}

// ReconcileRequest is the body that starts a reconcile.
type ReconcileRequest struct {
	Since  string `json:"since,omitempty" doc:"Where to begin: a time like 2006-01-02T15:04:05Z, or how long ago, like 30d or 12h. If it is not given, where the last one ended. Stripe lists events of the last 30 days."`
	DryRun bool   `json:"dry_run,omitempty" doc:"Report what is missing, and import nothing."`
	Reason string `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// BackfillRequest is the body that starts a backfill.
type BackfillRequest struct {
	Only   []string `json:"only,omitempty" doc:"The lists to read: customers, products, prices, subscriptions, invoices, payment_methods. If it is not given, all of them."`
	Reason string   `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// Reconcile starts a comparison with Stripe's list of events.
func (s *Service) Reconcile() rest.Endpoint {
	return s.endpoint(rest.Endpoint{
		ID: "reconcile", Summary: "Compare with Stripe's own list of events, and import what was missed", Tag: tag,
		Body: &rest.Body{Type: ReconcileRequest{}, Optional: true},
	}, func(w http.ResponseWriter, r *http.Request) (string, string, error) {
		var body ReconcileRequest
		if err := readBody(w, r, &body); err != nil {
			return "", "", err
		}
		since, err := ParseSince(body.Since, s.Now())
		if err != nil {
			return "", "", invalid("body.since", err.Error())
		}
		act, err := actOf(r, body.Reason)
		if err != nil {
			return "", "", err
		}
		id, err := s.StartReconcile(r.Context(), since, body.DryRun, act)
		return id, KindReconcile, err
	})
}

// Backfill starts a backfill.
func (s *Service) Backfill() rest.Endpoint {
	return s.endpoint(rest.Endpoint{
		ID: "backfill", Summary: "Fill the mirror from Stripe's lists of objects", Tag: tag,
		Body: &rest.Body{Type: BackfillRequest{}, Optional: true},
	}, func(w http.ResponseWriter, r *http.Request) (string, string, error) {
		var body BackfillRequest
		if err := readBody(w, r, &body); err != nil {
			return "", "", err
		}
		for i, name := range body.Only {
			if !slices.Contains(Lists(), name) {
				return "", "", invalid(fmt.Sprintf("body.only[%d]", i), "want one of "+strings.Join(Lists(), ", "))
			}
		}
		act, err := actOf(r, body.Reason)
		if err != nil {
			return "", "", err
		}
		id, err := s.StartBackfill(r.Context(), body.Only, act)
		return id, KindBackfill, err
	})
}

// endpoint adds what both have: the answer, and the problems.
func (s *Service) endpoint(e rest.Endpoint, start func(http.ResponseWriter, *http.Request) (id, kind string, err error)) rest.Endpoint {
	e.Answers = rest.Answers{
		http.StatusAccepted: {
			Doc: "The task has been started.", JSON: StartedTask{},
			Headers: []rest.Param{{Name: "Location", Doc: "The path of the task.", Required: true}},
		},
		http.StatusConflict: {
			Doc: "`conflict`: one is under way. `stripe_key_missing`: `STRIPE_SECRET_KEY` is not set.", JSON: rest.Problem{},
		},
	}
	e.Problems = []int{http.StatusBadRequest}
	e.Handler = rest.Handle(s.Logger, func(w http.ResponseWriter, r *http.Request) error {
		id, kind, err := start(w, r)
		if err != nil {
			return err
		}
		w.Header().Set("Location", "/v1/monitor/tasks/"+id)
		rest.WriteJSON(w, r, http.StatusAccepted, StartedTask{id, kind, quotekit.TaskPending})
		return nil
	})
	return e
}

// readBody reads a body that may be missing.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return invalid("body", "want an object with the fields that are described")
	}
	return nil
}

func actOf(r *http.Request, reason string) (quotekit.Act, error) {
	reason = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(reason, "\x00", ""), "\uFFFD"))
	if len(reason) > maxReason {
		return quotekit.Act{}, invalid("body.reason", "longer than 2,000 bytes")
	}
	actor := rest.ActorFrom(r.Context())
	return quotekit.Act{Actor: actor.Name, UserID: actor.UserID, Reason: reason, RequestID: rest.RequestIDFrom(r.Context())}, nil
}

func invalid(location, message string) error {
	return rest.Invalid(rest.FieldError{Location: location, Message: message})
}

// ParseSince reads an instant: a time, or how long before now it was, in days or
// as Go writes durations. Empty is the zero time.
func ParseSince(text string, now time.Time) (time.Time, error) {
	want := errors.New("want a time in the past like 2006-01-02T15:04:05Z, or how long ago, like 30d or 12h")
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		if at.After(now) {
			return time.Time{}, want
		}
		return at, nil
	}
	var ago time.Duration
	var err error
	if whole, isDays := strings.CutSuffix(text, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(whole, 10, 16)
		ago = time.Duration(n) * 24 * time.Hour
	} else {
		ago, err = time.ParseDuration(text)
	}
	if err != nil || ago <= 0 {
		return time.Time{}, want
	}
	return now.Add(-ago), nil
}
