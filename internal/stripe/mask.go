package stripe

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// Masked stands for a value that is not shown; it does not tell its length.
const Masked = "•••"

// Mask returns a payload as indented JSON text for people who may know what happened,
// but not to whom: names and order of keys, numbers as they were received, booleans
// and null, and of the strings only those that are known to be harmless. What is no
// JSON is masked as a whole.
//
// Shown are ids of Stripe's, the words of fields that have few values, like a status
// or a currency, decimal amounts, and instants. In metadata only UUIDs and ids of
// Stripe's are shown, since they are how users are found; in addresses, dates of
// birth and the like nothing is. A number that could be somebody's (of a card, or when
// it expires) is masked like a string, and so is a key that is no name.
func Mask(payload []byte) string {
	root, err := parse(string(payload))
	if err != nil {
		return string(appendMask(nil))
	}
	defer root.release()
	m := masker{indent: "  "}
	return string(m.append(nil, root, "\n", place{}))
}

// MaskMember returns the value of a member of an object, or of a column, masked like
// in [Mask], on one line.
func MaskMember(name string, text []byte) json.RawMessage {
	v, err := parse(string(text))
	if err != nil {
		return appendMask(nil)
	}
	defer v.release()
	var m masker
	return m.append(nil, v, "\n", place{}.within(name))
}

// place is where a value stands.
type place struct {
	name string // of the member that it is, or is an element of
	// private: nothing below is shown but booleans and null. metadata: only UUIDs
	// and ids are.
	private, metadata bool
}

// within is the place of a member of an object that stands at p.
func (p place) within(name string) place {
	p.name = name
	p.private = p.private || privateParts[name]
	p.metadata = p.metadata || name == "metadata" || name == "subscription_metadata"
	return p
}

// masker writes masked values. Without an indent they stand on one line.
type masker struct{ indent string }

func (m masker) append(dst []byte, v value, newline string, p place) []byte {
	switch v.kind() {
	case isArray, isObject:
		return m.appendAll(dst, v, newline, p)
	case isString:
		if text := v.str(); p.shows(text) {
			return appendString(dst, cleanText(text))
		}
		return appendMask(dst)
	case isNumber:
		if p.showsNumber(v.raw()) {
			return append(dst, v.raw()...)
		}
		return appendMask(dst)
	case isTrue:
		return append(dst, "true"...)
	case isFalse:
		return append(dst, "false"...)
	}
	return append(dst, "null"...)
}

// appendAll recurses no deeper than the parser let it: [MaxDepth].
func (m masker) appendAll(dst []byte, v value, newline string, p place) []byte {
	brackets := "[]"
	if v.isObject() {
		brackets = "{}"
	}
	dst = append(dst, brackets[0])
	inner := newline + m.indent
	n := 0
	for e := range v.all() {
		if n > 0 {
			dst = append(dst, ',')
		}
		n++
		if m.indent != "" {
			dst = append(dst, inner...)
		}
		at := p
		if v.isObject() {
			name := e.name()
			at = p.within(name)
			dst = append(appendString(dst, shownKey(name)), ':')
			if m.indent != "" {
				dst = append(dst, ' ')
			}
		}
		dst = m.append(dst, e, inner, at)
	}
	if n > 0 && m.indent != "" {
		dst = append(dst, newline...)
	}
	return append(dst, brackets[1])
}

func appendMask(dst []byte) []byte { return append(append(append(dst, '"'), Masked...), '"') }

var (
	uuidText    = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	instantText = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
	versionText = regexp.MustCompile(`^\d{4}-\d\d-\d\d(\.[a-z]+)?$`)
	countryText = regexp.MustCompile(`^[A-Z]{2}$`)
	wordText    = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,60}$`)
	idText      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)
	prefixedID  = regexp.MustCompile(`^[a-z]{2,12}_[A-Za-z0-9_]{1,240}$`)
	keyText     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)
	secretText  = regexp.MustCompile(`^(sk|rk|pk|ek|whsec|tok|btok|ct|sess|bulk)_|_secret_`)
	manyDigits  = regexp.MustCompile(`[0-9]{9}`)
)

// shows decides about a string. It is the allow-list.
func (p place) shows(s string) bool {
	switch {
	case s == "": // says nothing of anybody
		return true
	case p.private, secretText.MatchString(s), isDigits(s, 12):
		return false
	case objectName.MatchString(s):
		return true
	case p.metadata, p.name == "client_reference_id", p.name == "user_id":
		return uuidText.MatchString(s)
	case instantText.MatchString(s):
		return true
	case p.name == "id":
		return idText.MatchString(s) && strings.ContainsAny(s, "_0123456789") // a word alone could be a name
	case p.name == "api_version":
		return versionText.MatchString(s)
	case p.name == "country":
		return countryText.MatchString(s)
	case strings.HasSuffix(p.name, "_decimal"):
		return isDecimal(s)
	case words[p.name]:
		return wordText.MatchString(s) && !manyDigits.MatchString(s)
	case references[strings.TrimPrefix(strings.TrimSuffix(p.name, "_id"), "stripe_")]:
		return prefixedID.MatchString(s)
	}
	return false
}

// showsNumber decides about a number. Amounts are shown whatever they look like.
func (p place) showsNumber(raw string) bool {
	switch {
	case p.private, p.metadata, privateNumbers[p.name]:
		return false
	case strings.Contains(p.name, "amount"), strings.Contains(p.name, "total"), p.name == "balance", p.name == "tax":
		return true
	}
	return !isCard(raw)
}

// shownKey is the name of a member, unless it is none.
func shownKey(name string) string {
	if keyText.MatchString(name) && !manyDigits.MatchString(name) && !secretText.MatchString(name) || uuidText.MatchString(name) {
		return name
	}
	return Masked
}

// isDigits reports whether s is a number of n digits or more, whatever is between them.
func isDigits(s string, n int) bool {
	digits := 0
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c != ' ' && c != '-' && c != '.':
			return false
		}
	}
	return digits >= n
}

// isCard reports whether a whole number could be that of a card: 13 to 19 digits
// whose check digit is right.
func isCard(raw string) bool {
	if len(raw) < 13 || len(raw) > 19 {
		return false
	}
	sum := 0
	for i := range len(raw) {
		d, err := strconv.Atoi(raw[len(raw)-1-i : len(raw)-i])
		if err != nil {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func setOf(text string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(text) {
		set[name] = true
	}
	return set
}

var (
	// words are fields that have one of few values, as Stripe writes them; or lists
	// of such.
	words = setOf(`
		object type event_type status currency mode payment_status billing_reason billing_scheme collection_method interval
		usage_type usage tiers_mode aggregate_usage brand display_brand funding network networks available preferred wallet
		reason feedback payment_behavior proration_behavior tax_behavior tax_exempt ui_mode submit_type billing
		payment_method_types payment_method_collection payment_method_save capture_method confirmation_method
		setup_future_usage allow_redisplay cvc_check address_line1_check address_postal_code_check decline_code
		parent_type behavior end_behavior missing_payment_method pause_collection duration effect scheme
		regulated_status invoice_creation billing_address_collection customer_creation locale
		supported_currencies presentment_currency flow_directions effective_percentage_type jurisdiction_level
		save_default_payment_method request_three_d_secure proration_date save_payment_method rate_type rounding`)
	// references are fields that refer to an object: with _id behind them, and in our
	// own tables stripe_ before them, the same.
	references = setOf(`
		account application balance_transaction charge coupon customer default_payment_method default_price
		default_source destination discount event fetched invoice invoice_item last_customer last_stripe_customer latest_charge
		latest_invoice latest_revision mandate meter object on_behalf_of payment_intent payment_link payment_method
		pending_setup_intent plan price product promotion_code schedule setup_intent latest_attempt
		checkout_session source subscription subscription_item tax_rate test_clock transfer`)
	// privateParts are hashes of which nothing is shown.
	privateParts = setOf(`
		address shipping shipping_details billing_details customer_details customer_address customer_shipping
		collected_information dob owner_address receipt custom_fields custom_text customer_tax_ids tax_ids tax_id ip_address
		mandate_data online acss_debit us_bank_account sepa_debit bacs_debit au_becs_debit ach_debit bank_account
		individual company relationship verification next_action`)
	// privateNumbers are numbers that are masked like strings.
	privateNumbers = setOf(`exp_month exp_year last4 dynamic_last4 number iin cvc phone zip postal_code year month day`)
)
