package monitor

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Forgetter forgets people. It is package forget's.
type Forgetter interface {
	// PreviewForget counts what would be deleted, and gives a token.
	PreviewForget(ctx context.Context, r quotekit.ForgetRequest, act quotekit.Act) (quotekit.ForgetPreview, error)
	// StartForget starts what a preview has shown, once.
	StartForget(ctx context.Context, token string, act quotekit.Act) (t store.Task, started bool, err error)
}

// ForgetBody is the body that forgets a person.
type ForgetBody struct {
	Customer string `json:"customer,omitempty" doc:"For a dry run: the id of a customer at Stripe." example:"cus_NffrFeUfNV2Hib"`
	UserID   string `json:"user_id,omitempty" doc:"For a dry run, instead: a user of the application, with all customers that belong to the user." format:"uuid"`
	DryRun   bool   `json:"dry_run,omitempty" doc:"Only tell what would be deleted, and give a token."`
	Token    string `json:"token,omitempty" doc:"Of the dry run: it says who it is."`
	Reason   string `json:"reason,omitempty" doc:"Why, for the audit trail, which keeps it: so no name in it. At most 2,000 bytes. A start needs one."`
}

// ForgetAnswer is the answer to who forgets a person.
type ForgetAnswer struct {
	Customers            []quotekit.ForgottenCustomer `json:"customers" doc:"Of a dry run: the customers that would be forgotten."`
	Deletes              map[string]int64             `json:"deletes" doc:"Of a dry run: how many rows would be deleted, by table. Of stripe_webhook_events it is payloads, of webhook_dead_letter_queue what the letters say of their events: those rows stay."`
	Keeps                map[string]int64             `json:"keeps" doc:"Of a dry run: how many rows of the user are the application's own and stay, by table."`
	UnendedSubscriptions int                          `json:"unended_subscriptions" doc:"Of a dry run: subscriptions that have not ended; their later events would be ignored."`
	Token                *string                      `json:"token" doc:"Of a dry run: starts it, once."`
	ExpiresAt            *time.Time                   `json:"expires_at" doc:"Of a dry run: how long the token is valid."`
	TaskID               string                       `json:"task_id" format:"uuid"`
	Links                ForgetLinks                  `json:"links"`
}

// ForgetLinks are where to go from there.
type ForgetLinks struct {
	Task string `json:"task"`
}

// ForgetPerson previews and starts the deletion of what is kept of a person.
func (a *API) ForgetPerson() rest.Endpoint {
	return rest.Endpoint{
		ID: "forgetPerson", Summary: "Delete what is kept of a person, for good", Tag: tasksTag,
		Doc: "First a dry run, which counts, changes nothing and gives a token; then, within 15 minutes, the token with a " +
			"reason, which starts a task. The same token again finds the same task. Later events of the customers are ignored, " +
			"and nothing of them is kept.",
		Body: &rest.Body{Type: ForgetBody{}},
		Answers: rest.Answers{
			http.StatusOK: {Doc: "A dry run; or the task had been started before.", JSON: ForgetAnswer{}},
			http.StatusAccepted: {
				Doc: "The task is started.", JSON: ForgetAnswer{},
				Headers: []rest.Param{{Name: "Location", Doc: "The URL of the task.", Required: true}},
			},
		},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusGone},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			body, err := readForget(w, r)
			if err != nil {
				return err
			}
			act, err := ActOf(r, body.Reason)
			if err != nil {
				return err
			}
			out := ForgetAnswer{Customers: []quotekit.ForgottenCustomer{}, Deletes: map[string]int64{}, Keeps: map[string]int64{}}
			status := http.StatusOK
			if body.DryRun {
				p, err := a.Forgetter.PreviewForget(r.Context(), quotekit.ForgetRequest{CustomerID: body.Customer, UserID: body.UserID}, act)
				if err != nil {
					return err
				}
				out = ForgetAnswer{
					Customers: p.Customers, Deletes: p.Deletes, Keeps: p.Keeps, UnendedSubscriptions: p.UnendedSubscriptions,
					Token: &p.Token, ExpiresAt: &p.ExpiresAt, TaskID: p.TaskID,
				}
			} else {
				if act.Reason == "" {
					return invalid("body.reason", "say why; it is kept in the audit trail")
				}
				t, started, err := a.Forgetter.StartForget(r.Context(), body.Token, act)
				if err != nil {
					return err
				}
				out.TaskID = t.ID
				if started {
					status = http.StatusAccepted
					w.Header().Set("Location", tasksPath+t.ID)
				}
			}
			out.Links.Task = tasksPath + out.TaskID
			rest.WriteJSON(w, r, status, out)
			return nil
		}),
	}
}

// readForget reads a request: a dry run says who, and a start has the token.
func readForget(w http.ResponseWriter, r *http.Request) (body ForgetBody, err error) {
	const want = `{"customer": "cus_…", "dry_run": true} or {"token": "…", "reason": "…"}`
	if err := readBody(w, r, &body, want); err != nil {
		return body, err
	}
	named := body.Customer != "" || body.UserID != ""
	switch {
	case body.DryRun && body.Token != "":
		return body, invalid("body.token", "a dry run takes none; it gives one")
	case !body.DryRun && body.Token == "":
		return body, invalid("body.token", "missing: make a dry run first, which gives one")
	case !body.DryRun && named:
		return body, invalid("body", "the token says who it is: leave customer and user_id out")
	case !body.DryRun:
		return body, nil
	case !named, body.Customer != "" && body.UserID != "":
		return body, invalid("body", "want a customer or a user_id, one of the two")
	case body.Customer != "" && !isID(body.Customer):
		return body, invalid("body.customer", "want the id of a customer, like cus_NffrFeUfNV2Hib")
	case body.UserID != "":
		id, ok := rest.ParseUserID(body.UserID)
		if !ok {
			return body, invalid("body.user_id", "want a UUID")
		}
		body.UserID = id
	}
	return body, nil
}

// isID reports whether text may be an id of Stripe's. Of customers some are of the
// account's own making, so it need not begin with cus_.
func isID(text string) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= 255 &&
		!strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}
