/**
 * Places for questions on their way, where they are few, shared out among servers and askers.
 *
 * No server may have more than half of the places that the others left, so that one which is slow leaves room to the others; and no
 * asker more than half of those that the others left him at one server, so that nobody takes all of them by asking much. Whoever has next to
 * none gets one as long as there is any, whatever his server has.
 */

/** To each asker at a server, beyond the shares. */
export const MIN_PER_ASKER = 2;

export interface PlaceBounds {
  readonly total: number;
  /** At one server; absent: no bound but the shares. */
  readonly perServer?: number;
}

export class Places {
  readonly #total: number;
  readonly #perServer: number;
  readonly #ofServers = new Map<string, number>();
  readonly #ofAskers = new Map<string, number>();
  #taken = 0;

  constructor({ total, perServer = total }: PlaceBounds) {
    this.#total = total;
    this.#perServer = perServer;
  }

  /** False: there is none for this asker at this server. */
  take(server: string, asker: string): boolean {
    const pair = `${server} ${asker}`;
    const ofServer = this.#ofServers.get(server) ?? 0;
    const ofAsker = this.#ofAskers.get(pair) ?? 0;
    if (this.#taken >= this.#total || ofServer >= this.#perServer) return false;
    const forServer = Math.min(this.#perServer, (this.#total - (this.#taken - ofServer)) / 2);
    const forAsker = (forServer - (ofServer - ofAsker)) / 2;
    if (ofAsker >= Math.max(MIN_PER_ASKER, forAsker)) return false;
    this.#taken++;
    this.#ofServers.set(server, ofServer + 1);
    this.#ofAskers.set(pair, ofAsker + 1);
    return true;
  }

  leave(server: string, asker: string): void {
    this.#taken--;
    lower(this.#ofServers, server);
    lower(this.#ofAskers, `${server} ${asker}`);
  }
}

function lower(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left === 0) counts.delete(key);
  else counts.set(key, left);
}
