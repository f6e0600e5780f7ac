package batch

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// maxBody bounds a submission, in bytes.
const maxBody = 8 << 20

// maxWait bounds how long an answer waits for the end of a job.
const maxWait = 20 * time.Second

// handle is [rest.Handle] that tells the caller when the database is away.
func (s *Service) handle(h rest.HandlerFunc) http.Handler {
	return rest.Handle(s.logger, func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if class := store.Classify(err); class != store.Unavailable && class != store.Retryable {
			return err
		}
		if r.Context().Err() != nil {
			return nil // the caller has gone
		}
		s.logger.Warn("database away", "error", store.Describe(err), "request_id", rest.RequestIDFrom(r.Context()))
		w.Header().Set("Retry-After", "1")
		return quotekit.Errorf(quotekit.EUnavailable, "The database does not answer. Nothing is known to have changed; try again with the same Idempotency-Key.")
	})
}

// jobOf reads the job of the URL, if it is the caller's.
func (s *Service) jobOf(r *http.Request) (store.BatchJob, error) {
	if err := checkID(r); err != nil {
		return store.BatchJob{}, err
	}
	return s.store.BatchJob(r.Context(), rest.ActorFrom(r.Context()).UserID, r.PathValue("id"))
}

// checkID answers an id that is no UUID like one that is no job. From here on
// the id of the URL is in lower case, as it is stored.
func checkID(r *http.Request) error {
	id := r.PathValue("id")
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return quotekit.Errorf(quotekit.ENotFound, "there is no batch job %s", clip(id))
	}
	r.SetPathValue("id", parsed.String())
	return nil
}

func callerOf(r *http.Request) (Caller, error) {
	c := Caller{UserID: rest.ActorFrom(r.Context()).UserID, RequestID: rest.RequestIDFrom(r.Context())}
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return c, nil
	}
	c.IdempotencyKey = values[0]
	printable := !strings.ContainsFunc(c.IdempotencyKey, func(c rune) bool { return c < ' ' || c > '~' })
	if len(values) > 1 || c.IdempotencyKey == "" || len(c.IdempotencyKey) > 255 || !printable {
		return c, rest.Invalid(rest.FieldError{Location: "header.Idempotency-Key", Message: "want one, of 1 to 255 printable ASCII characters"})
	}
	return c, nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "application/json" {
			return nil, rest.NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "This takes application/json.")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, rest.NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", "The body is longer than 8 MiB.")
	case err != nil:
		return nil, rest.Invalid(rest.FieldError{Location: "body", Message: "it ended early"})
	}
	return body, nil
}

// readRepeat reads the body of an undo, as strictly as that of a new job: who
// asks for less than the whole must not get it for a typing mistake. An act
// without a dry run of its own takes nothing but an empty object.
func readRepeat(body []byte, dryRuns bool) (again UndoRequest, err error) {
	var members map[string]jsontext.Value
	wrong := jsonv2.Unmarshal(body, &members) != nil || members == nil
	for name, value := range members {
		if name != "dry_run" || !dryRuns || (value.Kind() != 't' && value.Kind() != 'f') {
			wrong = true
		}
		again.DryRun = value.Kind() == 't'
	}
	if wrong && dryRuns {
		return again, rest.Invalid(rest.FieldError{Location: "body", Message: `want nothing, or {"dry_run": true}`})
	}
	if wrong {
		return again, rest.Invalid(rest.FieldError{Location: "body", Message: "want nothing: the job is repeated as it was"})
	}
	return again, nil
}

// answer answers with a job that was submitted, and waits for its end as far as
// the caller prefers that.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, job store.BatchJob, replayed bool) error {
	h := w.Header()
	h.Set("Location", jobsPath+job.ID)
	if replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	seconds, wait := preferredWait(r.Header.Values("Prefer"))
	if wait {
		h.Add("Vary", "Prefer")
		last := job
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		err := s.Watch(r.Context(), rest.ActorFrom(r.Context()).UserID, job.ID, timer.C, func(j store.BatchJob) bool {
			last = j
			return true
		}, func() bool { return false })
		if err != nil {
			return err
		}
		if last.Status.Finished() {
			h.Set("Preference-Applied", "wait="+strconv.Itoa(seconds))
			rest.WriteJSON(w, r, http.StatusOK, s.show(last))
			return nil
		}
		job = last
	}
	h.Set("Retry-After", "1")
	rest.WriteJSON(w, r, http.StatusAccepted, s.show(job))
	return nil
}

// preferredWait reads Prefer (RFC 7240): preferences that are not understood are
// ignored. With respond-async a wait says how long to wait before the answer is
// 202, which is what it says without.
func preferredWait(headers []string) (seconds int, ok bool) {
	for _, preference := range strings.Split(strings.Join(headers, ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err == nil && n > 0 && !ok {
			seconds, ok = min(n, int(maxWait/time.Second)), true
		}
	}
	return seconds, ok
}
