package quotekit

// GroupState is how an error group stands: what people have decided about it, or
// that it is over.
type GroupState string

// The states of an error group.
const (
	// GroupOpen is one that nobody has taken on.
	GroupOpen GroupState = "open"
	// GroupAcknowledged is one that somebody works on.
	GroupAcknowledged GroupState = "acknowledged"
	// GroupIgnored is one that nobody wants to hear of.
	GroupIgnored GroupState = "ignored"
	// GroupResolved is one of which no dead letter is left. Nobody decides that.
	GroupResolved GroupState = "resolved"
)

// Enum lists the states.
func (GroupState) Enum() []string {
	return []string{string(GroupOpen), string(GroupAcknowledged), string(GroupIgnored), string(GroupResolved)}
}
