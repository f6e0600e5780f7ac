package store_test

import (
	"reflect"

	"github.com/quotekit/quotekit"
)

// fill gives every column of a row of the mirror a value.
func fill(row any) any {
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		text, number, yes, at := "text", int64(7), true, quotekit.Seconds(1_700_000_000)
		switch f := v.Field(i).Addr().Interface().(type) {
		case *string:
			*f = text
		case **string:
			*f = &text
		case **int64:
			*f = &number
		case **bool:
			*f = &yes
		case **quotekit.Seconds:
			*f = &at
		case *quotekit.JSON:
			*f = `{"k":"v"}`
		}
	}
	return row
}
