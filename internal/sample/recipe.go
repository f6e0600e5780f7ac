package sample

// recipes is the table of event types: what has to happen so that the last
// event is of that type. All of it happens in one second.
func recipes() map[string]func(*story) {
	return map[string]func(*story){
		"product.created": func(s *story) { s.stock() },
		"product.updated": func(s *story) { s.stock(); s.archive() },
		"product.deleted": func(s *story) { s.stock(); s.emit("product.deleted", s.product) },
		"price.created":   func(s *story) { s.stock() },
		"price.updated":   func(s *story) { s.stock(); s.archive() },
		"price.deleted":   func(s *story) { s.stock(); s.emit("price.deleted", s.pro) },

		"customer.created": func(s *story) { s.welcome() },
		"customer.updated": func(s *story) { s.buy() },
		"customer.deleted": func(s *story) { s.buy(); s.emit("customer.deleted", s.customer) },

		"payment_method.attached": func(s *story) { s.buy() },
		"payment_method.detached": func(s *story) { s.buy(); s.detach(s.card) },
		"setup_intent.succeeded":  func(s *story) { s.buy(); s.changeCard() },

		"customer.subscription.created": func(s *story) { s.buy() },
		"customer.subscription.updated": func(s *story) { s.buy() },
		"customer.subscription.deleted": func(s *story) { s.buy(); s.cancel("cancellation_requested") },

		"invoice.payment_succeeded":    func(s *story) { s.buy() },
		"invoice.paid":                 func(s *story) { s.buy() },
		"invoice.payment_failed":       func(s *story) { s.buy(); s.bill(); s.declined(1, false) },
		"invoice.voided":               func(s *story) { s.buy(); s.bill(); s.giveUp("void") },
		"invoice.marked_uncollectible": func(s *story) { s.buy(); s.bill(); s.giveUp("uncollectible") },

		"checkout.session.completed": func(s *story) { s.buy() },
		"checkout.session.async_payment_succeeded": func(s *story) {
			s.buy()
			s.emit("checkout.session.async_payment_succeeded", s.session(s.at, "paid"))
		},
		"checkout.session.async_payment_failed": func(s *story) {
			s.buy()
			s.emit("checkout.session.async_payment_failed", s.session(s.at, "unpaid"))
		},
	}
}

func (s *story) stock() { s.offer() }

func (s *story) welcome() {
	s.stock()
	s.signUp()
}

func (s *story) buy() {
	s.welcome()
	s.checkOut()
}

func (s *story) bill() { s.draw("subscription_cycle") }

func (s *story) archive() {
	s.pro.set("active", "false")
	s.emit("price.updated", s.pro)
	s.product.set("active", "false")
	s.emit("product.updated", s.product)
}
