import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Ask, CLOSING, failure, NO_ANSWER, NO_DESCRIPTOR, type Outcome, readReply, type Sent } from './outcome.js';
import { FIELD, writeUint16 } from './wire.js';

/**
 * Questions by UDP, under ids and from ports that nobody can guess.
 *
 * A question has a socket of its own, connected, so that the kernel lets only that server's datagrams in and tells us of a
 * refusal; with its last question a socket is closed, and the next one has another port. When many are on their way, questions to one
 * server share sockets, each under an id that is free in its socket: a descriptor a question would take the daemon's last one. No
 * server opens more sockets than half of those that are left, so one that is silent does not keep the others waiting: one alone comes to
 * a third, whose ids are twice as many as there may be questions (askers.ts), which may ask a server twice.
 */

export const MAX_SOCKETS = 128;
const IDS = 0x1_0000;
/** Of its ids, what one socket may use: a free one is found by guessing, and a forger must not find one in use by it. */
export const MAX_PER_SOCKET = 512;

interface Waiting {
  readonly sent: Sent;
  readonly done: (outcome: Outcome) => void;
  readonly timer: NodeJS.Timeout;
}

interface Door {
  readonly socket: Socket;
  readonly server: string;
  readonly waiting: Map<number, Waiting>;
  /** Sent when it is connected. */
  unsent: Uint8Array[] | null;
}

export class UdpDoors {
  readonly #doors = new Map<string, Set<Door>>();
  #open = 0;
  #closed = false;

  get open(): number {
    return this.#open;
  }

  ask(sent: Sent, { server, port, timeoutMs, over }: Ask): Promise<Outcome> {
    if (this.#closed) return Promise.resolve(CLOSING);
    if (over?.isOver) return Promise.resolve(NO_ANSWER);
    const door = this.#choose(server, port);
    if (door === null) return Promise.resolve(NO_DESCRIPTOR);
    return new Promise((resolve) => {
      const id = freeId(door.waiting);
      const message = Uint8Array.from(sent.message);
      writeUint16(message, FIELD.ID, id);
      const done = (outcome: Outcome): void => {
        // The id may be another question's by now.
        if (door.waiting.get(id) !== waiting) return;
        door.waiting.delete(id);
        clearTimeout(timer);
        if (door.waiting.size === 0) this.#shut(door);
        resolve(outcome);
      };
      // After a stall of ours the answer may lie in the socket: it is read between the two.
      const timer = setTimeout(() => setImmediate(done, NO_ANSWER), timeoutMs);
      const waiting: Waiting = { sent, done, timer };
      over?.onEnd(() => done(NO_ANSWER));
      door.waiting.set(id, waiting);
      if (door.unsent === null) door.socket.send(message);
      else door.unsent.push(message);
    });
  }

  close(): void {
    this.#closed = true;
    for (const doors of this.#doors.values()) for (const door of doors) fail(door, CLOSING);
  }

  #choose(server: string, port: number): Door | null {
    const doors = this.#doors.get(server);
    const own = doors?.size ?? 0;
    const left = MAX_SOCKETS - this.#open;
    if (left > 0 && own < Math.max(1, left / 2)) return this.#openDoor(server, port);
    const fit = [...(doors ?? [])].filter(({ waiting }) => waiting.size < MAX_PER_SOCKET);
    return fit.length === 0 ? null : (fit[randomInt(fit.length)] ?? null);
  }

  #openDoor(server: string, port: number): Door {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const door: Door = { socket, server, waiting: new Map(), unsent: [] };
    this.#open++;
    const doors = this.#doors.get(server) ?? new Set();
    this.#doors.set(server, doors.add(door));
    socket.on('error', (error) => fail(door, failure(error)));
    socket.on('message', (datagram) => receive(door, datagram));
    socket.on('connect', () => {
      const unsent = door.unsent ?? [];
      door.unsent = null;
      for (const message of unsent) socket.send(message);
    });
    socket.connect(port, server);
    return door;
  }

  #shut(door: Door): void {
    const doors = this.#doors.get(door.server);
    if (!doors?.delete(door)) return;
    if (doors.size === 0) this.#doors.delete(door.server);
    this.#open--;
    door.socket.close();
  }
}

function receive({ waiting }: Door, datagram: Buffer): void {
  if (datagram.length < 2) return;
  const id = datagram.readUInt16BE(FIELD.ID);
  const asked = waiting.get(id);
  const outcome = asked ? readReply(asked.sent, id, datagram) : null;
  if (outcome !== null) asked?.done(outcome);
}

function fail({ waiting }: Door, outcome: Outcome): void {
  for (const { done } of [...waiting.values()]) done(outcome);
}

function freeId(taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = randomInt(IDS);
    if (!taken.has(id)) return id;
  }
}
