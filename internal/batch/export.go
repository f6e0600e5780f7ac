package batch

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// JobExport is the file of an export.
func (s *Service) JobExport() rest.Endpoint {
	return rest.Endpoint{
		ID: "getBatchJobExport", Summary: "The file of an export", Tag: tag, Path: jobID,
		Doc: "The rows that were found, in the order of the request, in the format of the job's options. " +
			"In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.",
		Answers: rest.Answers{http.StatusOK: {
			JSON: []json.RawMessage{}, Text: []string{mediaCSV}, Headers: []rest.Param{{Name: "Content-Disposition", Required: true}},
		}},
		Problems: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			job, err := s.jobOf(r)
			if err != nil {
				return err
			}
			operation, ok := s.operationOf(job)
			switch {
			case !ok || operation.Kind != quotekit.OperationExport:
				return quotekit.Errorf(quotekit.EConflict, "batch job %s is no export", job.ID)
			case job.DryRun:
				return quotekit.Errorf(quotekit.EConflict, "batch job %s was a dry run; it has no file", job.ID)
			case job.Status != quotekit.BatchCompleted:
				return quotekit.Errorf(quotekit.EConflict, "batch job %s is %s; there is a file once it is completed", job.ID, job.Status)
			}
			var options map[string]json.RawMessage
			if err := json.Unmarshal(job.Options, &options); err != nil {
				return fmt.Errorf("read the options of batch job %s: %w", job.ID, err)
			}
			step, problems := prepare(operation, options)
			if len(problems) > 0 {
				return fmt.Errorf("read the options of batch job %s: %s", job.ID, problems[0].Message)
			}
			h := w.Header()
			name := fmt.Sprintf("%s-%s.%s", operation.Table, job.ID, step.Format)
			h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
			h.Set("Content-Type", mediaJSON)
			if step.Format == quotekit.ExportCSV {
				h.Set("Content-Type", mediaCSV+"; charset=utf-8; header=present")
			}
			h.Set("Cache-Control", "no-store")
			err = s.writeExport(w, r, job, operation.Table, step.Format)
			if err != nil {
				h.Del("Content-Disposition") // the answer is a problem, not a file
			}
			return err
		}),
	}
}

// exportPiece is how many rows are in memory at a time.
const exportPiece = 100

// writeExport streams the file. Once it has begun, a failure cuts the
// connection, so that nobody takes half a file for a whole one.
func (s *Service) writeExport(w http.ResponseWriter, r *http.Request, job store.BatchJob, table quotekit.ApplicationTable, format quotekit.ExportFormat) error {
	out := bufio.NewWriter(w)
	file := newFile(out, table, format)
	user := rest.ActorFrom(r.Context()).UserID
	for from := 0; from < job.Total; {
		items, err := s.store.BatchItems(r.Context(), user, job.ID, quotekit.Succeeded, from, exportPiece)
		if err == nil && from == 0 && len(items) == 0 && job.Succeeded() > 0 {
			return errForeign(job.ID)
		}
		if err == nil && from == 0 {
			err = file.begin()
		}
		for _, item := range items {
			var row json.RawMessage
			if err == nil {
				row, err = item.Before.Show(table)
			}
			if err == nil {
				err = file.add(row)
			}
			from = item.Position + 1
		}
		if err != nil && out.Buffered() == 0 && from == 0 {
			return err
		}
		if err != nil {
			s.logger.Warn("export cut off", "batch_id", job.ID, "error", store.Describe(err))
			panic(http.ErrAbortHandler)
		}
		if len(items) < exportPiece {
			break
		}
	}
	if file.end() != nil || out.Flush() != nil {
		panic(http.ErrAbortHandler) // the caller has gone
	}
	return nil
}

// file writes rows in a format.
type file struct {
	out     *bufio.Writer
	lines   *csv.Writer // nil for JSON
	columns []string
	rows    int
}

func newFile(out *bufio.Writer, table quotekit.ApplicationTable, format quotekit.ExportFormat) *file {
	f := &file{out: out, columns: store.ShownColumns(table)}
	if format == quotekit.ExportCSV {
		f.lines = csv.NewWriter(out)
	}
	return f
}

func (f *file) begin() error {
	if f.lines != nil {
		return f.lines.Write(f.columns)
	}
	return f.out.WriteByte('[')
}

func (f *file) add(row json.RawMessage) error {
	f.rows++
	if f.lines == nil {
		if f.rows > 1 {
			_ = f.out.WriteByte(',') // a bufio.Writer keeps its error
		}
		_ = f.out.WriteByte('\n')
		_, err := f.out.Write(row)
		return err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(row, &values); err != nil {
		return err
	}
	cells := make([]string, len(f.columns))
	for i, c := range f.columns {
		cells[i] = rest.Cell(plain(values[c]))
	}
	return f.lines.Write(cells)
}

func (f *file) end() error {
	if f.lines != nil {
		f.lines.Flush()
		return f.lines.Error()
	}
	_, err := f.out.WriteString("\n]\n")
	return err
}

// plain is a JSON value as the text of a cell: a string without its quotes, null
// as nothing, and what is no text as JSON.
func plain(value json.RawMessage) string {
	var text *string
	if json.Unmarshal(value, &text) == nil {
		if text == nil {
			return ""
		}
		return *text
	}
	return string(value)
}
