package quotekit

import "encoding/json"

// Operation is a row of the table of bulk operations: what is done to each of
// up to [MaxBatchItems] rows of one user. It is pure: it says what becomes of a
// row, and the store does it, a chunk at a time, for rows of the caller only.
type Operation struct {
	// Name is what requests say, like "delete_quotes".
	Name    string
	Summary string
	Kind    OperationKind
	Table   ApplicationTable
	// Columns are those that an update reads and may set. An undo leaves a row
	// alone if one of them, or updated_at, was changed since.
	Columns []string
	// MaxItems bounds a request; zero is [MaxBatchItems].
	MaxItems int
	// Options are all that a request may set. Any other name is refused.
	Options []Option
	// Prepare reads the options of a request, whose names are known and which
	// hold all that are required. Everything wrong with their values is told at
	// once, and refuses the request. Nil stands for an operation that needs no
	// step: a delete.
	Prepare func(options map[string]json.RawMessage) (Step, []FieldError)
}

// MaxBatchItems is the most items of one request.
const MaxBatchItems = 1000

// Limit is the most items of a request for o.
func (o Operation) Limit() int {
	if o.MaxItems > 0 {
		return o.MaxItems
	}
	return MaxBatchItems
}

// OperationKind says what an operation is given and what it does with it.
type OperationKind string

// The kinds. All but creates are given ids of rows; creates are given objects.
const (
	OperationDelete OperationKind = "delete"
	OperationUpdate OperationKind = "update"
	OperationCreate OperationKind = "create"
	// OperationExport reads rows into a file, and changes nothing.
	OperationExport OperationKind = "export"
)

// ApplicationTable is a table of the application's own.
type ApplicationTable string

// The tables that operations work on.
const (
	Quotes  ApplicationTable = "quotes"
	Clients ApplicationTable = "clients"
	Items   ApplicationTable = "items"
)

// Option describes one option of an operation, for people and for /openapi.json.
type Option struct {
	Name     string
	Summary  string
	Required bool
	// Example is a value as JSON.
	Example string
}

// Step is an operation with its options read: what becomes of one item. Of its
// functions an operation has the one of its kind. They may be called from many
// goroutines at once.
type Step struct {
	// Update returns the new values of the operation's columns. None means that the row
	// is as it should be, and the item is skipped as [ItemUnchanged]. The error
	// is that item's failure.
	Update func(Record) (Values, *ItemError)
	// Create makes a row of an object of the request. Everything wrong with it
	// is told at once, and is that item's failure, [ItemInvalid]. The store adds
	// id, user_id, created_at and updated_at, where Values has none.
	Create func(object json.RawMessage) (Values, []FieldError)
	// Format of an export's file.
	Format ExportFormat
}

// ExportFormat is the format of an exported file.
type ExportFormat string

// The formats.
const (
	ExportJSON ExportFormat = "json"
	ExportCSV  ExportFormat = "csv"
)

// Record reads the columns of a stored row.
type Record interface {
	// Text is the value as text; NULL is empty.
	Text(column string) string
	// Cents is an amount of money; ok is false for NULL.
	Cents(column string) (amount Cents, ok bool)
}

// Values are values of columns by name: string, [Cents], [Rate], [time.Time],
// [json.RawMessage] or nil.
type Values map[string]any

// FieldError is one of several things wrong with what somebody sent.
type FieldError struct {
	Field, Message string
}

// BatchStatus is what a batch job is doing.
type BatchStatus string

// The statuses. The last three are final.
const (
	BatchPending    BatchStatus = "pending"
	BatchProcessing BatchStatus = "processing"
	// BatchCompleted: every item has an outcome, even if some failed.
	BatchCompleted BatchStatus = "completed"
	// BatchFailed: the job could not run; what it did not reach is unprocessed.
	BatchFailed    BatchStatus = "failed"
	BatchCancelled BatchStatus = "cancelled"
)

// Finished reports whether the status is final.
func (s BatchStatus) Finished() bool {
	return s == BatchCompleted || s == BatchFailed || s == BatchCancelled
}

// Outcome is what became of one item of a batch job.
type Outcome string

// The outcomes. Every item has exactly one, at every instant.
const (
	Succeeded   Outcome = "succeeded"
	Failed      Outcome = "failed"
	Skipped     Outcome = "skipped"
	Unprocessed Outcome = "unprocessed"
)

// ItemCode says why an item failed or was skipped; programs rely on it.
type ItemCode string

// The codes. [ItemDuplicate] and [ItemUnchanged] are those of skipped items.
const (
	// ItemNotFound: there is no such row, or it is not the caller's.
	ItemNotFound ItemCode = "not_found"
	// ItemDuplicate: the id stands earlier in the list, and counts there.
	ItemDuplicate ItemCode = "duplicate"
	// ItemUnchanged: the row is already as it should be.
	ItemUnchanged ItemCode = "unchanged"
	// ItemInvalid: a value of an object to create is wrong.
	ItemInvalid ItemCode = "invalid"
	// ItemOutOfRange: a price would leave the range of its column.
	ItemOutOfRange ItemCode = "out_of_range"
	// ItemConflict: the database refuses the change because of other rows.
	ItemConflict ItemCode = "conflict"
	// ItemChangedSince: an undo would overwrite a later change.
	ItemChangedSince ItemCode = "changed_since"
)

// ItemError is the failure of one item.
type ItemError struct {
	Code    ItemCode
	Message string
}

func (e *ItemError) Error() string { return e.Message }

// QuoteStatuses are all statuses of a quote. Any may follow any.
var QuoteStatuses = []string{"draft", "sent", "accepted", "declined", "expired", "converted"}
