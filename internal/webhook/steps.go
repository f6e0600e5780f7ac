package webhook

// The steps that [Config.Observe] is told of. Between any two of them a process
// may die, and nothing that was acknowledged is lost.
const (
	// Of a request, in this order:

	// StepRead is reached when the body has been read.
	StepRead = "read"
	// StepVerified is reached when the signature has been found to be right.
	StepVerified = "verified"
	// StepHandled is reached when the handler has returned.
	StepHandled = "handled"
	// StepInserted is reached when the events are written in the transaction of
	// their group.
	StepInserted = "inserted"
	// StepApplied is reached when the effects of the group are written there. On
	// Postgres some of them travel with the next statement only.
	StepApplied = "applied"
	// StepBeforeCommit is the last of the transaction of a group.
	StepBeforeCommit = "before commit"
	// StepCommitted is reached when the group is committed and nobody has been
	// answered.
	StepCommitted = "committed"
	// StepAnswered is reached when the sender has been sent the answer.
	StepAnswered = "answered"

	// Of an attempt by a worker, in this order:

	// StepAttemptLoaded is reached when a worker has read the event that is due.
	StepAttemptLoaded = "attempt loaded"
	// StepAttemptHandled is reached when the handler has returned.
	StepAttemptHandled = "attempt handled"
	// StepAttemptUpdated is reached when the outcomes of a group of attempts are
	// written to the rows of their events.
	StepAttemptUpdated = "attempt updated"
	// StepAttemptApplied is reached when the effects are written.
	StepAttemptApplied = "attempt applied"
	// StepAttemptBeforeCommit is the last of the transaction.
	StepAttemptBeforeCommit = "attempt before commit"
	// StepAttemptCommitted is reached when the attempt is committed, and its job is
	// not.
	StepAttemptCommitted = "attempt committed"
)

// observer is told where the service is; nil in production.
type observer func(step string)

func (o observer) at(step string) {
	if o != nil {
		o(step)
	}
}
