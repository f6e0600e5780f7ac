package dashboard

import (
	"net/http"
	"slices"
)

// preference is what somebody likes, kept in a cookie that scripts may set, too.
type preference struct {
	name   string // of the field; the cookie's has quotekit_ before it
	values []string
}

// preferenceTable is all preferences; the first value is the standard one.
var preferenceTable = []preference{
	{"theme", []string{"system", "light", "dark"}},
	{"zone", []string{"utc", "local"}},
	{"keys", []string{"on", "off"}},
	{"rows", []string{"dense", "roomy"}},
}

// preferenceOf reads a preference. The query comes before the cookie, so that a
// link may say which zone it means.
func preferenceOf(r *http.Request, name string) string {
	for _, p := range preferenceTable {
		if p.name != name {
			continue
		}
		if v := r.URL.Query().Get(name); slices.Contains(p.values, v) {
			return v
		}
		if c, err := r.Cookie("quotekit_" + name); err == nil && slices.Contains(p.values, c.Value) {
			return c.Value
		}
		return p.values[0]
	}
	panic("dashboard: no preference " + name) // a bug
}

// preferenceSeconds is how long a preference is kept.
const preferenceSeconds = 365 * 24 * 3600

// preferences keeps what the form says; what it does not say stays.
func (d *Dashboard) preferences(r *http.Request) (Answer, error) {
	a := Answer{To: Path}
	if back := r.PostFormValue("back"); isLocal(back) {
		a.To = back
	}
	for _, p := range preferenceTable {
		if v := r.PostFormValue(p.name); slices.Contains(p.values, v) {
			a.Cookies = append(a.Cookies, &http.Cookie{
				Name: "quotekit_" + p.name, Value: v, Path: Path, MaxAge: preferenceSeconds,
				Secure: !insecure(r), SameSite: http.SameSiteLaxMode,
			})
		}
	}
	return a, nil
}
