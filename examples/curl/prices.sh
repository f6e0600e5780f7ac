#!/usr/bin/env bash
# Makes two items, raises their prices by five percent, and takes that back.
#
#     QUOTEKIT_URL=http://127.0.0.1:8787 QUOTEKIT_TOKEN=$(quotekit token) examples/curl/prices.sh
#
# It needs curl and jq.
set -euo pipefail
: "${QUOTEKIT_URL:?is not set}" "${QUOTEKIT_TOKEN:?is not set}"

# api METHOD PATH [BODY] prints the answer, or fails and says what is wrong if it is a
# problem document. A job is waited for. Sent again with the same key, as after a lost
# connection, it stays one job.
api() {
	local answer
	answer=$(curl --silent --show-error --request "$1" "$QUOTEKIT_URL$2" \
		--header "Authorization: Bearer $QUOTEKIT_TOKEN" --header 'Content-Type: application/json' \
		--header "Idempotency-Key: $RANDOM-$RANDOM-$RANDOM" --header 'Prefer: wait=20' \
		${3:+--data "$3"})
	if jq -e 'has("code")' <<<"$answer" >/dev/null; then
		jq -r '"\(.status) \(.code)"' <<<"$answer" >&2
		return 1
	fi
	echo "$answer"
}

made=$(api POST /v1/batch-jobs '{
	"operation": "bulk_create_items",
	"items": [
		{"name": "Design", "unit": "hour", "unit_price": "10.00"},
		{"name": "Print", "unit": "piece", "unit_price": "0.30"}
	]
}')
jq -r '"made \(.succeeded_items) of \(.total_items)"' <<<"$made"
ids=$(api GET "$(jq -r .links.results <<<"$made")" | jq -c '[.items[].item_id]')

change=$(jq -n --argjson items "$ids" \
	'{operation: "update_item_prices", items: $items, options: {price_adjustment: {type: "percentage", value: "5"}}}')
api POST /v1/batch-jobs "$(jq '.dry_run = true' <<<"$change")" | jq -r '"\(.succeeded_items) would change"'

raised=$(api POST /v1/batch-jobs "$change")
jq -r '"\(.status), \(.progress_percent) %"' <<<"$raised"
for id in $(jq -r '.[]' <<<"$ids"); do
	api GET "/v1/items/$id" | jq -r '"\(.name): \(.unit_price)"'
done

api POST "$(jq -r .links.undo <<<"$raised")" '{}' | jq -r '"undo: \(.status), \(.succeeded_items) put back"'

# What is wrong with a request is told for every part of it, and nothing is changed.
api POST /v1/batch-jobs "$(jq 'del(.options)' <<<"$change")" 2>&1 || true
