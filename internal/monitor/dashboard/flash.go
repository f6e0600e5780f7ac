package dashboard

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// flash is what an act has done, as the next page tells it.
type flash struct {
	Text   string `json:"t"`
	Warned bool   `json:"w,omitempty"`
}

const (
	flashCookie  = "quotekit_flash"
	flashSeconds = 60
	maxFlash     = 600
)

func (d *Dashboard) setFlash(w http.ResponseWriter, r *http.Request, f flash) {
	if f.Text == "" {
		return
	}
	if len(f.Text) > maxFlash {
		f.Text = strings.ToValidUTF8(f.Text[:maxFlash], "") + "…"
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic("encode a flash: " + err.Error()) // a text and a boolean
	}
	setCookie(w, r, flashCookie, base64.RawURLEncoding.EncodeToString(b), Path, flashSeconds)
}

// takeFlash reads what the last act has done, once. What a page fetches by itself
// leaves it to the page that the browser is led to.
func takeFlash(w http.ResponseWriter, r *http.Request) (f flash) {
	c, err := r.Cookie(flashCookie)
	if err != nil || r.Header.Get(liveHeader) != "" {
		return flash{}
	}
	setCookie(w, r, flashCookie, "", Path, -1)
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(b, &f) != nil {
		return flash{}
	}
	return f
}
