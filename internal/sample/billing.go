package sample

import "strings"

func (s *story) subscribe() {
	id := s.newID("sub_1")
	s.subscription = s.object("subscription", values{
		"id": text(id), "cancel_at": null, "cancel_at_period_end": "false", "canceled_at": null,
		"created": number(s.at), "currency": text("usd"), "customer": s.customer.id(), "default_payment_method": null,
		"ended_at": null, "latest_invoice": null, "metadata": s.userMetadata(), "status": text("incomplete"),
		"quantity": "1", "cancellation_reason": null, "item": text(s.newID("si_")),
		"items_url": text("/v1/subscription_items?subscription=" + id),
	})
	s.setItem(s.pro, s.at, s.at+month)
	s.draw("subscription_create")
	s.emit("customer.subscription.created", s.subscription)
}

// draw makes the invoice of the subscription's current period, still unpaid.
func (s *story) draw(reason string) {
	sub, price := s.subscription.now, s.pro
	if strings.Contains(sub["price"], s.basic.id()) {
		price = s.basic
	}
	id, amount := s.newID("in_1"), price.now["unit_amount"]
	s.invoice = s.object("invoice", values{
		"id": text(id), "amount_due": amount, "amount_paid": "0", "amount_remaining": amount, "attempt_count": "0",
		"auto_advance": "true", "billing_reason": text(reason), "created": number(s.at), "currency": text("usd"),
		"customer": s.customer.id(), "email": s.customer.now["email"], "name": s.customer.now["name"],
		"finalized_at": number(s.at), "hosted_invoice_url": text("https://invoice.stripe.com/i/acct_sample/" + id),
		"line": text(s.newID("il_1")), "total": amount, "description": text("1 × QuoteKit (per month)"),
		"subscription_metadata": sub["metadata"], "subscription": sub["id"], "item": sub["item"],
		"period_start": sub["period_start"], "period_end": sub["period_end"], "price": price.id(), "product": s.product.id(),
		"unit_amount_decimal": price.now["unit_amount_decimal"], "quantity": "1", "lines_url": text("/v1/invoices/" + id + "/lines"),
		"next_payment_attempt": null, "number": text(strings.ToUpper(s.random(8)) + "-0001"),
		"window_start": number(s.at - month), "status": text("open"), "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
	})
	s.subscription.set("latest_invoice", text(id))
}

// paid is a payment attempt that succeeds; Stripe tells of it twice.
func (s *story) paid(attempt int64) {
	inv := s.invoice
	inv.set("amount_paid", inv.now["amount_due"])
	inv.set("amount_remaining", "0")
	inv.set("attempt_count", number(attempt))
	inv.set("auto_advance", "false")
	inv.set("next_payment_attempt", null)
	inv.set("status", text("paid"))
	inv.set("paid_at", number(s.at))
	s.emit("invoice.payment_succeeded", inv)
	s.emit("invoice.paid", inv)
}

// declined is a payment attempt that fails; the last one has no next.
func (s *story) declined(attempt int64, last bool) {
	inv := s.invoice
	inv.set("attempt_count", number(attempt))
	inv.set("next_payment_attempt", null)
	if !last {
		inv.set("next_payment_attempt", number(s.at+3*day))
	}
	s.emit("invoice.payment_failed", inv)
}

func (s *story) setStatus(status string) {
	s.subscription.set("status", text(status))
	s.emit("customer.subscription.updated", s.subscription)
}

func (s *story) setDefaultCard(pm *object) {
	s.customer.set("default_payment_method", null)
	if pm != nil {
		s.customer.set("default_payment_method", pm.id())
	}
	s.emit("customer.updated", s.customer)
}

// checkOut is the whole of a first purchase, as Checkout does it.
func (s *story) checkOut() {
	opened := s.at - 5*minute
	s.card = s.newCard("visa", "4242")
	s.pass(1)
	s.subscribe()
	s.pass(2)
	s.paid(1)
	s.subscription.set("default_payment_method", s.card.id())
	s.setStatus("active")
	s.pass(1)
	s.emit("checkout.session.completed", s.session(opened, "paid"))
	s.customer.set("currency", text("usd"))
	s.customer.set("next_invoice_sequence", "2")
	s.setDefaultCard(s.card)
}

func (s *story) session(opened int64, paymentStatus string) *object {
	return s.object("checkout_session", values{
		"id": text("cs_test_a1" + s.random(56)), "amount_total": s.invoice.now["total"], "client_reference_id": text(s.userID),
		"created": number(opened), "currency": text("usd"), "customer": s.customer.id(), "email": s.customer.now["email"],
		"name": s.customer.now["name"], "expires_at": number(opened + day), "invoice": s.invoice.id(),
		"metadata": s.userMetadata(), "payment_status": text(paymentStatus), "subscription": s.subscription.id(),
	})
}

// changeCard is a setup intent with a new card, which becomes the default; the
// old card goes.
func (s *story) changeCard() {
	old := s.card
	intent := s.newID("seti_1")
	begun := s.at
	s.pass(30)
	s.card = s.newCard("mastercard", "4444")
	s.emit("setup_intent.succeeded", s.object("setup_intent", values{
		"id": text(intent), "client_secret": text(intent + "_secret_sample"), "created": number(begun),
		"customer": s.customer.id(), "latest_attempt": text(s.newID("setatt_1")), "payment_method": s.card.id(),
		"metadata": `{"customer_id":` + s.customer.id() + `,"subscription_id":` + s.subscription.id() + `,"user_id":` + text(s.userID) + `}`,
	}))
	s.pass(1)
	s.setDefaultCard(s.card)
	s.subscription.set("default_payment_method", s.card.id())
	s.emit("customer.subscription.updated", s.subscription)
	s.pass(10)
	s.detach(old)
}

func (s *story) detach(pm *object) {
	pm.set("customer", null)
	s.emit("payment_method.detached", pm)
}

// changePlan moves the one item to the other price, in the middle of a period.
// The application notes it in the metadata, in a hurried story within the same
// second.
func (s *story) changePlan(to *object, start, end int64) {
	s.setItem(to, start, end)
	s.emit("customer.subscription.updated", s.subscription)
	s.pass(1)
	metadata := s.subscription.now["metadata"]
	s.subscription.set("metadata", strings.TrimSuffix(metadata, "}")+`,"plan":`+to.now["nickname"]+`}`)
	s.emit("customer.subscription.updated", s.subscription)
}

// cancel ends the subscription at once.
func (s *story) cancel(reason string) {
	sub := s.subscription
	sub.set("status", text("canceled"))
	sub.set("ended_at", number(s.at))
	sub.set("cancellation_reason", text(reason))
	if sub.now["canceled_at"] == null {
		sub.set("canceled_at", number(s.at))
	}
	s.emit("customer.subscription.deleted", sub)
}
