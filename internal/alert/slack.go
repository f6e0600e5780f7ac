package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// slack posts to an incoming webhook of Slack, or of what takes the same.
type slack struct {
	poster
	linker
	url string
}

func (s *slack) name() string { return Slack }

func (s *slack) send(ctx context.Context, m message) error {
	var text strings.Builder
	fmt.Fprintf(&text, "*QuoteKit: %s*", slackText(m.title()))
	for n, i := range m.Items {
		if n == shownItems {
			fmt.Fprintf(&text, "\n… and %d more: %s", len(m.Items)-n, s.anchor("/dashboard/alerts", "all alerts"))
			break
		}
		fmt.Fprintf(&text, "\n%s *%s* %s", i.mark(), i.headline(), slackText(i.Alert.Summary))
		if i.Event != toldTest {
			fmt.Fprintf(&text, " %s · %s", s.anchor(i.Alert.Link, "look"), anchor(i.Alert.Runbook, "what to do"))
		}
	}
	b, err := json.Marshal(map[string]string{"text": text.String()})
	if err != nil {
		return fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	return s.post(ctx, s.url, b, nil)
}

// anchor is a link to a page of the service; without a public URL it is the path.
func (s *slack) anchor(path, text string) string {
	if s.base == "" {
		return slackText(path)
	}
	return anchor(s.link(path), text)
}

func anchor(url, text string) string { return "<" + slackText(url) + "|" + text + ">" }

// slackText keeps Slack from reading marks and mentions in a text.
func slackText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
