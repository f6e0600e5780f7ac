package sample

// Plots is how many different stories there are.
const Plots = 8

// plot is what happens in a story.
type plot struct {
	// hurried stories have many events in one second.
	hurried bool
	// userKey is the key of the user id in metadata.
	userKey string
	// customerKnowsUser: customer.created already names the user; otherwise
	// only the session and the subscription do.
	customerKnowsUser bool
	changesCard       bool
	changesPlan       bool
	renewal           renewal
	ending            ending
}

type renewal int

const (
	renewalPaid renewal = iota
	// renewalRecovered is paid at the third attempt.
	renewalRecovered
	// renewalLost is never paid: the subscription ends with it.
	renewalLost
)

type ending int

const (
	endingOpen ending = iota
	endingAtPeriodEnd
	endingAtOnce
	// endingGone also deletes the customer.
	endingGone
)

// plotOf returns the plot of the nth story.
func plotOf(n int) plot {
	return [Plots]plot{
		{userKey: "user_id", customerKnowsUser: true, changesPlan: true},
		{userKey: "user_id", customerKnowsUser: true, changesCard: true, renewal: renewalRecovered, hurried: true},
		{userKey: "userId", customerKnowsUser: true, ending: endingAtPeriodEnd},
		{userKey: "user_id", renewal: renewalLost},
		{userKey: "supabase_user_id", changesPlan: true, changesCard: true, ending: endingAtOnce, hurried: true},
		{userKey: "user_id", customerKnowsUser: true, renewal: renewalRecovered, changesPlan: true, ending: endingAtPeriodEnd, hurried: true},
		{userKey: "user_id", customerKnowsUser: true, renewal: renewalLost, changesCard: true, hurried: true},
		{userKey: "userId", customerKnowsUser: true, changesCard: true, changesPlan: true, ending: endingGone},
	}[n%Plots]
}

// longest bounds the time from the first event of a story to the last.
const longest = 65 * day

func (s *story) tell() {
	s.offer()
	s.pass(day)
	s.signUp()
	s.pass(10 * minute)
	began := s.at + 1
	if s.hurried {
		began = s.at
	}
	s.checkOut()
	if s.changesCard {
		s.pass(5 * day)
		s.changeCard()
	}
	if s.changesPlan {
		s.pass(5 * day)
		s.changePlan(s.basic, began, began+month)
	}
	s.at = began + month
	s.renew()
	if s.renewal != renewalLost {
		s.end()
	}
	s.close()
}

// renew begins the second period and asks for its money.
func (s *story) renew() {
	price := s.pro
	if s.changesPlan {
		price = s.basic
	}
	s.setItem(price, s.at, s.at+month)
	s.draw("subscription_cycle")
	s.customer.set("next_invoice_sequence", "3")
	s.emit("customer.subscription.updated", s.subscription)
	s.pass(hour)
	if s.renewal == renewalPaid {
		s.paid(1)
		return
	}
	s.declined(1, false)
	s.setStatus("past_due")
	s.customer.set("delinquent", "true")
	s.emit("customer.updated", s.customer)
	s.pass(3 * day)
	s.declined(2, s.renewal == renewalLost)
	s.pass(3 * day)
	if s.renewal == renewalLost {
		s.cancel("payment_failed")
		s.giveUp(s.lostInvoice())
		return
	}
	s.paid(3)
	s.setStatus("active")
	s.customer.set("delinquent", "false")
	s.emit("customer.updated", s.customer)
}

// giveUp closes an invoice that nobody will pay: void or uncollectible.
func (s *story) giveUp(status string) {
	inv := s.invoice
	inv.set("auto_advance", "false")
	inv.set("next_payment_attempt", null)
	inv.set("status", text(status))
	if status == "void" {
		inv.set("voided_at", number(s.at))
		s.emit("invoice.voided", inv)
		return
	}
	inv.set("marked_uncollectible_at", number(s.at))
	s.emit("invoice.marked_uncollectible", inv)
}

func (s *story) lostInvoice() string {
	if s.hurried {
		return "void"
	}
	return "uncollectible"
}

func (s *story) end() {
	s.pass(3 * day)
	switch s.ending {
	case endingOpen:
	case endingAtPeriodEnd:
		s.subscription.set("cancel_at_period_end", "true")
		s.subscription.set("cancel_at", s.subscription.now["period_end"])
		s.subscription.set("canceled_at", number(s.at))
		s.subscription.set("cancellation_reason", text("cancellation_requested"))
		s.emit("customer.subscription.updated", s.subscription)
		s.pass(20 * day)
		s.cancel("cancellation_requested")
	case endingAtOnce:
		s.cancel("cancellation_requested")
	case endingGone:
		s.cancel("cancellation_requested")
		s.emit("customer.deleted", s.customer)
	}
}

// close is what is left to do after the subscription.
func (s *story) close() {
	if s.ending == endingOpen && s.renewal != renewalLost {
		return
	}
	s.pass(hour)
	s.detach(s.card)
	if s.ending != endingGone {
		s.setDefaultCard(nil)
	}
	s.pass(day)
	s.pro.set("active", "false")
	s.emit("price.updated", s.pro)
	s.product.set("active", "false")
	s.product.set("updated", number(s.at))
	s.emit("product.updated", s.product)
}
