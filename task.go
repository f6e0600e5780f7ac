package quotekit

// TaskStatus is the state of a task: long work that is done in steps, like a
// bulk act on dead letters, a reconcile or a backfill. The values are those of
// the database and of the API.
type TaskStatus string

const (
	// TaskPreviewed shows what would be done, and waits to be started.
	TaskPreviewed TaskStatus = "previewed"
	// TaskPending has not begun.
	TaskPending TaskStatus = "pending"
	// TaskRunning has done some of its steps.
	TaskRunning TaskStatus = "running"
	// TaskCompleted has done all of them.
	TaskCompleted TaskStatus = "completed"
	// TaskFailed could not go on.
	TaskFailed TaskStatus = "failed"
	// TaskCancelled was stopped between two steps.
	TaskCancelled TaskStatus = "cancelled"
)

// Finished reports whether nothing more will happen.
func (s TaskStatus) Finished() bool {
	return s == TaskCompleted || s == TaskFailed || s == TaskCancelled
}
