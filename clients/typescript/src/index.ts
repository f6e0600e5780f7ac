/**
 * A typed client of the HTTP API of QuoteKit. The types of schema.ts are generated from
 * docs/api/openapi.json; every path, parameter and answer is checked by the compiler.
 *
 * Amounts of money are strings ("12.50"), never numbers.
 */
import createClient, { type Client, type ClientOptions } from "openapi-fetch";

import type { Job, JobResult, JobResultPage, Problem, Submission, paths } from "./schema.js";

export type * from "./schema.js";

/** One method for each HTTP method, with the paths of the API: `quotekit.GET("/v1/quotes")`. */
export type QuoteKit = Client<paths>;

export interface ConnectOptions {
  /** Where the service is, as `https://billing.example.com`. */
  url: string;
  /**
   * The JWT of the user, or an operator's token. A function is asked before each
   * request, so that a session that is refreshed goes on.
   */
  token: string | (() => string | Promise<string>);
  /** Instead of the global fetch. */
  fetch?: ClientOptions["fetch"];
}

/** Makes a client. It sends nothing yet. */
export function connect({ url, token, fetch }: ConnectOptions): QuoteKit {
  const quotekit = createClient<paths>({ baseUrl: url, ...(fetch && { fetch }) });
  quotekit.use({
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${typeof token === "function" ? await token() : token}`);
      return request;
    },
  });
  return quotekit;
}

/** An answer that is not a success. What `problem.code` can be is in docs/errors.md. */
export class ProblemError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(`${problem.code ?? status}: ${problem.detail ?? problem.title}`);
    this.name = "ProblemError";
  }
}

/** The data of an answer. It throws a {@link ProblemError} if there is none. */
export function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    const { status, statusText } = answer.response;
    const problem = typeof answer.error === "object" && answer.error !== null ? answer.error : {};
    throw new ProblemError(status, { code: "", status, title: statusText, type: "about:blank", ...problem });
  }
  return answer.data;
}

export interface RunOptions {
  /**
   * Names the request. Sent again with the same key and body, as after a lost
   * connection, it yields the same job. Made up if it is left out.
   */
  idempotencyKey?: string;
  /** Is told of the job each second. Without it a short job is waited for in one request. */
  onProgress?: (job: Job) => void;
  /** Ends the wait. The job goes on; POST /v1/batch-jobs/{id}/cancel ends it. */
  signal?: AbortSignal;
}

/**
 * Submits a bulk operation and waits for its end, which may be "failed" or
 * "cancelled". What became of each item is told by {@link results}.
 */
export async function runBatch(quotekit: QuoteKit, body: Submission, options: RunOptions = {}): Promise<Job> {
  const signal = options.signal ? { signal: options.signal } : {};
  const submitted = await quotekit.POST("/v1/batch-jobs", {
    body,
    params: {
      header: {
        "Idempotency-Key": options.idempotencyKey ?? crypto.randomUUID(),
        Prefer: options.onProgress ? "respond-async" : "wait=20",
      },
    },
    ...signal,
  });
  let job = unwrap(submitted);
  options.onProgress?.(job);
  while (job.status === "pending" || job.status === "processing") {
    await pause(1000, options.signal);
    job = unwrap(await quotekit.GET("/v1/batch-jobs/{id}", { params: { path: { id: job.id } }, ...signal }));
    options.onProgress?.(job);
  }
  return job;
}

/** What became of every item of a job, in the order of the request, page by page. */
export async function* results(quotekit: QuoteKit, id: string): AsyncGenerator<JobResult> {
  let cursor: string | null = null;
  do {
    const answer = await quotekit.GET("/v1/batch-jobs/{id}/results", {
      params: { path: { id }, query: cursor === null ? {} : { cursor } },
      headers: { Accept: "application/json" }, // there is CSV, too
    });
    const page = unwrap(answer) as JobResultPage;
    yield* page.items;
    cursor = page.next_cursor;
  } while (cursor !== null);
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
