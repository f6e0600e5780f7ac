/**
 * Makes two items, raises their prices by five percent, and takes that back.
 *
 *     QUOTEKIT_URL=http://127.0.0.1:8787 QUOTEKIT_TOKEN=$(quotekit token) node dist/examples/prices.js
 */
import { ProblemError, connect, results, runBatch, unwrap } from "../src/index.js";

const { QUOTEKIT_URL: url, QUOTEKIT_TOKEN: token } = process.env;
if (!url || !token) {
  console.error("set QUOTEKIT_URL and QUOTEKIT_TOKEN");
  process.exit(2);
}
const quotekit = connect({ url, token });

const made = await runBatch(quotekit, {
  operation: "bulk_create_items",
  items: [
    { name: "Design", unit: "hour", unit_price: "10.00" },
    { name: "Print", unit: "piece", unit_price: "0.30" },
  ],
});
const ids: string[] = [];
for await (const r of results(quotekit, made.id)) {
  if (r.item_id) ids.push(r.item_id);
}
console.log(`made ${made.succeeded_items} of ${made.total_items}`);

const change = { operation: "update_item_prices", items: ids, options: { price_adjustment: { type: "percentage", value: "5" } } };
const preview = await runBatch(quotekit, { ...change, dry_run: true });
console.log(`${preview.succeeded_items} would change`);

const raised = await runBatch(quotekit, change);
console.log(`${raised.status}, ${raised.progress_percent} %`);
for (const id of ids) {
  const item = unwrap(await quotekit.GET("/v1/items/{id}", { params: { path: { id } } }));
  console.log(`${item.name}: ${item.unit_price}`);
}

const undo = unwrap(await quotekit.POST("/v1/batch-jobs/{id}/undo", {
  params: { path: { id: raised.id }, header: { Prefer: "wait=20" } },
  body: {},
}));
console.log(`undo: ${undo.status}, ${undo.succeeded_items} put back`);

// What is wrong with a request is told for every part of it, and nothing is changed.
try {
  await runBatch(quotekit, { operation: "update_item_prices", items: ids });
} catch (e) {
  if (!(e instanceof ProblemError)) throw e;
  console.log(`${e.status} ${e.problem.code}`);
}
