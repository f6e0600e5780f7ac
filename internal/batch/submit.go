package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Caller is who asks, and how the request is known.
type Caller struct {
	UserID, RequestID string
	// IdempotencyKey names the request: the same key and body are the same job.
	IdempotencyKey string
	// act is what an operator does on behalf of the user; nil if nobody does.
	act *quotekit.Act
}

// request is a job that somebody asks for, checked.
type request struct {
	operation string
	options   json.RawMessage
	// items is a JSON array of total elements.
	items  json.RawMessage
	total  int
	dryRun bool
	parent string
	// hash tells this request from another one with the same key.
	hash string
	// plan is what was read of it, without the work; nil if it has yet to be read.
	plan *plan
	// audited is what an operator does who asks for the job, and to which.
	audited, target string
}

// Submit takes in the job that a body asks for. Replayed means that the job was
// there already. Everything wrong with the body is told at once, as a
// [rest.Problem], and nothing is written.
func (s *Service) Submit(ctx context.Context, c Caller, body []byte) (job store.BatchJob, replayed bool, err error) {
	r, problem := s.read(body)
	if problem != nil {
		return job, false, problem
	}
	return s.insert(ctx, c, r)
}

// read checks the body of a request.
func (s *Service) read(body []byte) (request, error) {
	var members map[string]jsontext.Value
	if !utf8.Valid(body) {
		return request{}, rest.Invalid(rest.FieldError{Location: "body", Message: "not JSON: it is not UTF-8"})
	}
	// What is left of invalid text are escapes of half a surrogate pair. Where
	// they stand in an object to create, they are that item's failure alone.
	if err := jsonv2.Unmarshal(body, &members, jsontext.AllowInvalidUTF8(true)); err != nil {
		return request{}, rest.Invalid(rest.FieldError{Location: "body", Message: describeSyntax(body, err)})
	}
	var errs []rest.FieldError
	wrong := func(location, format string, args ...any) {
		errs = append(errs, rest.FieldError{Location: location, Message: fmt.Sprintf(format, args...)})
	}
	if members == nil {
		wrong("body", "want an object; got null")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains([]string{"operation", "items", "options", "dry_run"}, name) {
			wrong("body."+clip(name), "unknown; known are operation, items, options, dry_run")
		}
	}
	r := request{hash: hashOf("submit", body)}
	r.dryRun = readBool(members["dry_run"], "body.dry_run", wrong)
	operation, known := s.readOperation(members["operation"], wrong)
	r.operation = operation.Name
	r.plan = &plan{operation: operation}
	var options map[string]json.RawMessage
	options, r.plan.step = readOptions(operation, known, members["options"], wrong)
	list := readArray(members["items"], wrong)
	r.items, r.total = json.RawMessage(members["items"]), len(list)
	if known {
		if n := len(list); n > operation.Limit() {
			wrong("body.items", "%d items; %s takes at most %d", n, operation.Name, operation.Limit())
		}
		var problems []quotekit.FieldError
		r.plan.items, problems = readItems(operation.Kind, list[:min(len(list), operation.Limit())])
		for _, p := range problems {
			wrong("body."+p.Field, "%s", p.Message)
		}
	}
	if len(errs) > 0 {
		return request{}, rest.Invalid(errs...)
	}
	var err error
	r.options, err = json.Marshal(options)
	return r, err
}

// wrongFunc notes a problem.
type wrongFunc func(location, format string, args ...any)

// describeSyntax says what is wrong with a body that cannot be read, without the
// name of a Go type.
func describeSyntax(body []byte, err error) string {
	if jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true)) {
		return "want an object; got " + jsonKind(body)
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("not JSON: at byte %d: %s", syntax.ByteOffset, syntax.Err)
	}
	return "not JSON"
}

func readBool(value jsontext.Value, location string, wrong wrongFunc) bool {
	switch string(value) {
	case "true":
		return true
	case "", "false":
	default:
		wrong(location, "want true or false; got %s", jsonKind(json.RawMessage(value)))
	}
	return false
}

func (s *Service) readOperation(value jsontext.Value, wrong wrongFunc) (o quotekit.Operation, known bool) {
	var names []string
	for _, o := range s.catalog.list {
		names = append(names, o.Name)
	}
	list := strings.Join(names, ", ")
	var name string
	if value == nil {
		wrong("body.operation", "missing; known are %s", list)
		return o, false
	}
	if value.Kind() != '"' || json.Unmarshal(value, &name) != nil {
		wrong("body.operation", "want a string; got %s", jsonKind(json.RawMessage(value)))
		return o, false
	}
	if o, known = s.catalog.byName[name]; !known {
		wrong("body.operation", "%q is unknown; known are %s", clip(name), list)
	}
	return o, known
}

func readOptions(o quotekit.Operation, known bool, value jsontext.Value, wrong wrongFunc) (options map[string]json.RawMessage, step quotekit.Step) {
	options = map[string]json.RawMessage{}
	if value != nil && (value.Kind() != '{' || json.Unmarshal(value, &options) != nil) {
		wrong("body.options", "want an object; got %s", jsonKind(json.RawMessage(value)))
		return options, step
	}
	if !known {
		return options, step
	}
	var names []string
	complete := true
	for _, option := range o.Options {
		names = append(names, option.Name)
		if _, given := options[option.Name]; option.Required && !given {
			wrong("body.options."+option.Name, "missing; like %s", option.Example)
			complete = false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch {
		case slices.Contains(names, name):
		case len(names) == 0:
			wrong("body.options."+clip(name), "unknown; %s has no options", o.Name)
		default:
			wrong("body.options."+clip(name), "unknown; known are %s", strings.Join(names, ", "))
		}
	}
	if complete {
		var problems []quotekit.FieldError
		step, problems = prepare(o, options)
		for _, p := range problems {
			wrong("body.options."+p.Field, "%s", p.Message)
		}
	}
	return options, step
}

func readArray(value jsontext.Value, wrong wrongFunc) []json.RawMessage {
	var items []json.RawMessage
	switch {
	case value == nil:
		wrong("body.items", "missing")
	case value.Kind() != '[' || json.Unmarshal(value, &items) != nil:
		wrong("body.items", "want an array; got %s", jsonKind(json.RawMessage(value)))
	case len(items) == 0:
		wrong("body.items", "empty; want at least one item")
	}
	return items
}

// clip bounds what is quoted of a request.
func clip(s string) string {
	if r := []rune(s); len(r) > 50 {
		return string(r[:50]) + "…"
	}
	return s
}

// hashOf is the hash of what a request says.
func hashOf(act string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(act + "\n"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// insert writes a job, unless the key says that it is there already.
func (s *Service) insert(ctx context.Context, c Caller, r request) (job store.BatchJob, replayed bool, err error) {
	b := store.NewBatch{
		ID: quotekit.NewID(), UserID: c.UserID, Operation: r.operation, Options: r.options, Items: r.items, Total: r.total,
		DryRun: r.dryRun, ParentID: r.parent, RequestID: c.RequestID, Owner: s.owner(),
	}
	if c.IdempotencyKey != "" {
		b.IdempotencyKey, b.RequestHash = c.IdempotencyKey, r.hash
	}
	work := store.BatchWork{
		ID: b.ID, UserID: b.UserID, Operation: b.Operation, ParentID: b.ParentID, Options: b.Options, Items: b.Items, DryRun: b.DryRun,
		Status: quotekit.BatchProcessing, Fence: 1,
	}
	p := r.plan
	if p == nil {
		// Read before it is written: what cannot run must not be there.
		if p, err = s.catalog.plan(work); err != nil {
			return job, false, err
		}
	}
	p.work = work
	inserted := false
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		if inserted, err = tx.InsertBatch(ctx, b); err != nil || !inserted {
			return err
		}
		if err := c.audit(ctx, tx, r.audited, r.target, map[string]any{"batch_job_id": b.ID}); err != nil || b.Owner != "" {
			return err
		}
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		_, err := s.jobs.InsertTx(ctx, tx.Tx, wakeArgs{JobID: b.ID}, &river.InsertOpts{Queue: jobs.Batches})
		return err
	})
	switch {
	case err != nil:
		return job, false, err
	case !inserted:
		return s.replay(ctx, c, r)
	case b.Owner != "":
		s.runner.begin(p, 1)
	}
	job, err = s.store.BatchJob(ctx, c.UserID, b.ID)
	return job, false, err
}

// replay finds the job that a key named before.
func (s *Service) replay(ctx context.Context, c Caller, r request) (job store.BatchJob, replayed bool, err error) {
	id, hash, err := s.store.BatchByKey(ctx, c.UserID, c.IdempotencyKey)
	if err != nil {
		return job, false, err
	}
	if hash != r.hash {
		return job, false, rest.NewProblem(http.StatusUnprocessableEntity, "idempotency_key_reused",
			"This Idempotency-Key was used for another request. A key names one request, byte for byte.")
	}
	job, err = s.store.BatchJob(ctx, c.UserID, id)
	return job, true, err
}
