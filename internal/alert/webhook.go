package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/quotekit/quotekit"
)

// SignatureHeader is the header of the signature of what goes to the webhook.
const SignatureHeader = "QuoteKit-Signature"

// webhook posts our own JSON.
type webhook struct {
	poster
	linker
	url, secret string
	now         func() time.Time
}

// webhookBody is what is posted.
type webhookBody struct {
	// ID is the same when a message is sent again.
	ID        string         `json:"id"`
	Type      string         `json:"type"` // alerts or test
	CreatedAt time.Time      `json:"created_at"`
	Alerts    []webhookAlert `json:"alerts"`
}

// webhookAlert is an alert as the API shows it, and what is told of it.
type webhookAlert struct {
	Event string `json:"event"`
	quotekit.Alert
}

func (w *webhook) name() string { return Webhook }

func (w *webhook) send(ctx context.Context, m message) error {
	body := webhookBody{ID: m.ID, Type: "alerts", CreatedAt: m.CreatedAt}
	for _, i := range m.Items {
		if i.Event == toldTest {
			body.Type = "test"
		}
		i.Alert.Link = w.link(i.Alert.Link)
		body.Alerts = append(body.Alerts, webhookAlert{i.Event, i.Alert})
	}
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	header := map[string]string{}
	if w.secret != "" {
		header[SignatureHeader] = sign(w.secret, w.now(), b)
	}
	return w.post(ctx, w.url, b, header)
}

// sign makes a signature of the same form as Stripe's: of the time, a dot and the
// body, by HMAC-SHA256.
func sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
