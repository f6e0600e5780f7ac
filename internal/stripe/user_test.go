package stripe_test

import (
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	userA = "7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01"
	userB = "11111111-2222-4333-8444-555555555555"
)

func TestUserID(t *testing.T) {
	for in, want := range map[string]string{
		userA:                                    userA,
		"7F0C2D5E-0B0C-4D43-9A53-6F2C0E1D7A01":   userA,
		"":                                       "",
		"user_1":                                 "",
		"7f0c2d5e0b0c4d439a536f2c0e1d7a01":       "",
		"{7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01}": "",
		"7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a0g":   "",
		"7f0c2d5e-0b0c-4d43-9a536-f2c0e1d7a01":   "",
		" 7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a0":   "",
		userA + "\n":                             "",
	} {
		if got := stripe.UserID(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestMetadataUserID_TakesTheFirstUUID(t *testing.T) {
	for _, c := range []struct{ metadata, want string }{
		{``, ""},
		{`{}`, ""},
		{`{"user_id":"` + userA + `","userId":"` + userB + `"}`, userA},
		{`{"userId":"` + userA + `","user_id":"` + userB + `"}`, userB},
		{`{"supabase_user_id":"` + userA + `"}`, userA},
		{`{"user_id":"42","userId":"` + userB + `"}`, userB},
		{`{"USER_ID":"` + userA + `"}`, ""},
		{`{"user_id":""}`, ""},
	} {
		if got := stripe.MetadataUserID(quotekit.JSON(c.metadata)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.metadata, got, c.want)
		}
	}
}
