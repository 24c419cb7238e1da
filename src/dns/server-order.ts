/** How long a server that did not answer is asked last. A dead first server then costs one query in half a minute. */
export const FAILURE_MEMORY_MS = 30_000;

/** Remembers which servers did not answer and orders them: as configured, those that failed lately behind the others. */
export class ServerOrder {
  readonly #failedAt = new Map<string, number>();
  readonly #answeredAt = new Map<string, number>();

  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  order(servers: readonly string[]): string[] {
    for (const memory of [this.#failedAt, this.#answeredAt]) {
      for (const known of memory.keys()) if (!servers.includes(known)) memory.delete(known);
    }
    const well = servers.filter((server) => !this.hasFailed(server));
    const failed = servers.filter((server) => this.hasFailed(server));
    failed.sort((a, b) => (this.#failedAt.get(a) ?? 0) - (this.#failedAt.get(b) ?? 0));
    return [...well, ...failed];
  }

  hasFailed(server: string): boolean {
    const at = this.#failedAt.get(server);
    return at !== undefined && this.#now() - at < FAILURE_MEMORY_MS;
  }

  /**
   * A try that began at `since` brought nothing. It is not held against a server that answered somebody else in the
   * meantime: a name can be slow where the server is well. True when this is news.
   */
  failed(server: string, since: number): boolean {
    if ((this.#answeredAt.get(server) ?? -1) > since) return false;
    const news = !this.hasFailed(server);
    this.#failedAt.set(server, this.#now());
    return news;
  }

  answered(server: string): void {
    this.#failedAt.delete(server);
    this.#answeredAt.set(server, this.#now());
  }
}
