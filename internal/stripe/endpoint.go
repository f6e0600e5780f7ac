package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// Endpoint is a webhook endpoint of one's own account, as Stripe knows it.
type Endpoint struct {
	ID  string `json:"id"`
	URL string `json:"url"`
	// APIVersion is that of its events; empty is the account's default.
	APIVersion string `json:"api_version"`
	// EnabledEvents are the types it is sent; "*" is all but a few.
	EnabledEvents []string `json:"enabled_events"`
	// Status is enabled or disabled.
	Status   string `json:"status"`
	Livemode bool   `json:"livemode"`
}

// Lacks returns those of types that the endpoint is not sent.
func (e Endpoint) Lacks(types []string) []string {
	var lacking []string
	for _, t := range types {
		if !slices.Contains(e.EnabledEvents, "*") && !slices.Contains(e.EnabledEvents, t) {
			lacking = append(lacking, t)
		}
	}
	return lacking
}

// Endpoints lists the webhook endpoints of the key's mode. The key may lack the
// permission; the error is an [*APIError] then.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var all []Endpoint
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		p, err := c.list(ctx, "/v1/webhook_endpoints", query)
		if err != nil {
			return nil, err
		}
		for _, raw := range p.Data {
			var e Endpoint
			if err := json.Unmarshal(raw, &e); err != nil || e.ID == "" {
				return nil, fmt.Errorf("an entry of Stripe's list of endpoints is no endpoint with an id")
			}
			all = append(all, e)
		}
		if !p.HasMore || len(p.Data) == 0 {
			return all, nil
		}
		query.Set("starting_after", all[len(all)-1].ID)
	}
}
