import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { errnoOf, messageOf, UnetError } from '../model/errors.js';
import type { ErrorBody } from './types.js';

export type Query = Readonly<Record<string, string | undefined>>;

/** How the daemon's answer to one request is awaited. */
export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  /** Milliseconds without an answer after which the call fails; absent: as long as it takes. */
  readonly timeout?: number;
}

/** `code` of the cause when the other side took the request and said nothing. */
export const NO_ANSWER = 'ETIMEDOUT';

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * HTTP over the control socket. The one connection is kept open between calls and until the process ends: a container
 * whose creator's connection ends before its launcher has come is taken back by the daemon.
 */
export class HttpOverUnix {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** @throws UnetError with the daemon's code and text, or DAEMON when it cannot be reached */
  async json<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.#send(method, path, options);
    return parseBody(await readAll(response)) as T;
  }

  /** The raw body of a streaming answer. */
  stream(method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    return this.#send(method, path, options);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(method: string, path: string, { query, body, timeout }: CallOptions): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest({
        socketPath: this.#socketPath,
        agent: this.#agent,
        method,
        path: path + queryString(query),
        headers: payload ? { 'content-type': 'application/json', 'content-length': payload.length } : {},
      });
      if (timeout) {
        const silence = () => Object.assign(new Error(`no answer within ${timeout} ms`), { code: NO_ANSWER });
        request.setTimeout(timeout, () => request.destroy(silence()));
      }
      request.on('response', resolve);
      request.on('error', (error) => reject(unreachable(this.#socketPath, error)));
      request.end(payload);
    });
    if ((response.statusCode ?? 500) < 400) return response;
    throw toError(response.statusCode ?? 500, await readAll(response));
  }
}

function queryString(query: Query = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response) {
      length += (chunk as Buffer).length;
      if (length > MAX_ANSWER_BYTES) throw new UnetError('DAEMON', 'the daemon sent an answer beyond all measure');
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof UnetError) throw error;
    throw new UnetError('DAEMON', `the daemon broke off its answer: ${messageOf(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnetError('DAEMON', 'the daemon sent an answer that is not JSON', { cause: error });
  }
}

function toError(status: number, text: string): UnetError {
  const body = parseBody(text) as Partial<ErrorBody> | undefined;
  if (body?.error?.message) return new UnetError(body.error.code, body.error.message);
  return new UnetError('DAEMON', `the daemon answered with status ${status} and no reason`);
}

function unreachable(socketPath: string, error: Error): UnetError {
  const code = errnoOf(error);
  const reason = code === 'ECONNRESET' || code === 'EPIPE' ? 'it ended while it was asked' : messageOf(error);
  return new UnetError('DAEMON', `cannot reach the daemon at ${socketPath}: ${reason}`, { cause: error });
}
