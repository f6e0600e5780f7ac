package quotekit

// Enum lists the values, for the description of the API.
func (EventStatus) Enum() []string {
	return texts(EventPending, EventSucceeded, EventIgnored, EventDead)
}

// Enum lists the values, for the description of the API.
func (FailureReason) Enum() []string {
	return texts(ReasonMaxRetries, ReasonTimeout, ReasonDatabase, ReasonParsing, ReasonRejected, ReasonPanic)
}

// Enum lists the values, for the description of the API.
func (BatchStatus) Enum() []string {
	return texts(BatchPending, BatchProcessing, BatchCompleted, BatchFailed, BatchCancelled)
}

// Enum lists the values, for the description of the API.
func (Outcome) Enum() []string { return texts(Succeeded, Failed, Skipped, Unprocessed) }

// Enum lists the values, for the description of the API.
func (ItemCode) Enum() []string {
	return texts(ItemNotFound, ItemDuplicate, ItemUnchanged, ItemInvalid, ItemOutOfRange, ItemConflict, ItemChangedSince)
}

// Enum lists the values, for the description of the API.
func (TaskStatus) Enum() []string {
	return texts(TaskPreviewed, TaskPending, TaskRunning, TaskCompleted, TaskFailed, TaskCancelled)
}

// Enum lists the values, for the description of the API.
func (ReplayMode) Enum() []string { return texts(ReplayStored, ReplayCurrent) }

// Enum lists the values, for the description of the API.
func (BulkAction) Enum() []string { return texts(BulkRetry, BulkResolve) }

// Enum lists the values, for the description of the API.
func (BulkOutcome) Enum() []string {
	return texts(BulkSucceeded, BulkFailed, BulkPending, BulkIgnored, BulkResolved, BulkSkipped, BulkUnprocessed)
}

func texts[T ~string](values ...T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}
