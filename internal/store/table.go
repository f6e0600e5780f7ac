package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/quotekit/quotekit"
)

// table describes a table of the mirror. Its columns, and the values that
// upsert takes, come in this order: account, livemode, the key column and the
// other columns of the row, in the order of the row's fields; the computed
// columns; created_at and updated_at.
type table struct {
	name    string
	key     string   // the column of Stripe's id
	row     []string // the columns of the row, key first
	columns []string // all
	prefix  string
	suffix  string
	fields  []int           // of the struct, beside row
	json    map[string]bool // the columns that hold JSON
}

// The tables of the mirror. What they have beside the row's own columns is
// listed here; its values are package fold's, or the event's.
var (
	customersTable     = newTable("stripe_customers", quotekit.Customer{}, "user_id", "deleted", "snapshot_at")
	productsTable      = newTable("stripe_products", quotekit.Product{}, "deleted", "snapshot_at")
	pricesTable        = newTable("stripe_prices", quotekit.Price{}, "deleted", "snapshot_at")
	subscriptionsTable = newTable("subscriptions", quotekit.Subscription{}, "user_id", "snapshot_at")
	itemsTable         = newTable("subscription_items", quotekit.SubscriptionItem{},
		"stripe_subscription_id", "deleted", "snapshot_at")
	invoicesTable       = newTable("stripe_invoices", quotekit.Invoice{}, "user_id", "snapshot_at")
	paymentMethodsTable = newTable("payment_methods", quotekit.PaymentMethod{},
		"user_id", "stripe_customer_id", "last_stripe_customer_id", "detached_at",
		"stripe_setup_intent_id", "usage", "stripe_mandate_id", "snapshot_at")
	checkoutSessionsTable = newTable("stripe_checkout_sessions", quotekit.CheckoutSession{}, "user_id", "snapshot_at")
)

// mirrorTables is the table of every kind; subscription_items hangs on
// subscriptions and has no kind of its own.
var mirrorTables = map[quotekit.Kind]*table{
	quotekit.KindCustomer:        customersTable,
	quotekit.KindProduct:         productsTable,
	quotekit.KindPrice:           pricesTable,
	quotekit.KindSubscription:    subscriptionsTable,
	quotekit.KindInvoice:         invoicesTable,
	quotekit.KindPaymentMethod:   paymentMethodsTable,
	quotekit.KindCheckoutSession: checkoutSessionsTable,
}

// newTable reads the db tags of row, once, and builds the upsert from them.
func newTable(name string, row any, computed ...string) *table {
	t := &table{name: name, json: map[string]bool{}}
	typ := reflect.TypeOf(row)
	for i := range typ.NumField() {
		tag, isKey := strings.CutSuffix(typ.Field(i).Tag.Get("db"), ",key")
		t.json[tag] = typ.Field(i).Type == reflect.TypeFor[quotekit.JSON]()
		switch {
		case tag == "":
			continue
		case isKey:
			t.key = tag
			t.row = slices.Insert(t.row, 0, tag)
			t.fields = slices.Insert(t.fields, 0, i)
		default:
			t.row = append(t.row, tag)
			t.fields = append(t.fields, i)
		}
	}
	t.columns = slices.Concat([]string{"account", "livemode"}, t.row, computed, []string{"created_at", "updated_at"})

	keys := []string{"account", "livemode", t.key}
	var set []string
	for _, c := range t.columns {
		if !slices.Contains(keys, c) && c != "created_at" {
			set = append(set, quote(c)+" = excluded."+quote(c))
		}
	}
	t.prefix = fmt.Sprintf("INSERT INTO %s (%s)", quote(name), quoteList(t.columns))
	t.suffix = fmt.Sprintf("ON CONFLICT (%s) DO UPDATE SET %s", quoteList(keys), strings.Join(set, ", "))
	return t
}

// values returns what row says, a pointer to the struct that the table was
// made from, as plain values in the order of the table's row columns. Absent
// is nil.
func (t *table) values(row any) []any {
	v := reflect.ValueOf(row).Elem()
	values := make([]any, len(t.fields), len(t.columns))
	for i, index := range t.fields {
		values[i] = plain(v.Field(index).Interface())
	}
	return values
}

// plain makes a value that every driver knows of a field of the mirror.
func plain(field any) any {
	switch f := field.(type) {
	case string:
		return f
	case *string:
		if f != nil {
			return *f
		}
	case *int64:
		if f != nil {
			return *f
		}
	case *bool:
		if f != nil {
			return *f
		}
	case *quotekit.Seconds:
		if f != nil {
			return f.Time()
		}
	case quotekit.JSON:
		if f != "" {
			return string(f)
		}
	default:
		panic(fmt.Sprintf("store: no column type for a field of type %T", field))
	}
	return nil
}

// upsert writes rows whole: the columns of an existing row are all replaced
// but created_at. The values of a row are in the order of the table's columns;
// rows are sorted and unique by (account, livemode, key).
func (tx *Tx) upsert(ctx context.Context, t *table, rows [][]any) error {
	if err := tx.multiRow(ctx, t.prefix, t.suffix, len(t.columns), rows, nil); err != nil {
		return fmt.Errorf("upsert %s: %w", t.name, err)
	}
	return nil
}

// quote quotes an identifier: ours are lower-case words, but the application's own
// columns may be called anything.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
