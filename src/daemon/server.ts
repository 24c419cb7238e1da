import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify';
import * as v from 'valibot';
import { MAX_BODY_BYTES } from '../api/routes.js';
import type { ErrorBody } from '../api/types.js';
import { type ErrorCode, messageOf, UnetError } from '../model/errors.js';
import { type NativeModule, peerOf } from '../native/index.js';
import type { IdleTimer } from './idle-timer.js';
import type { Log } from './log.js';

const STATUS: Readonly<Record<ErrorCode, number>> = {
  USAGE: 400,
  INVALID: 400,
  NOT_FOUND: 404,
  AMBIGUOUS: 409,
  CONFLICT: 409,
  REFUSED: 403,
  UNAVAILABLE: 503,
  DAEMON: 500,
  LAUNCH: 500,
  INTERNAL: 500,
};
/** Of one part of a path; Node itself bounds the whole. */
const MAX_PARAM_LENGTH = 4096;
/** Connections at once; a client uses one or two. */
const MAX_CONNECTIONS = 512;

export interface ServerOptions {
  readonly log: Log;
  readonly idle: IdleTimer;
  readonly native: Pick<NativeModule, 'peerIdentity'>;
}

/** The HTTP server without its routes: who may speak, how large, how errors look. */
export function createServer({ log, idle, native }: ServerOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    // A reference may be a link name: a name, a slash, and an alias whose characters take up to nine bytes in a URL.
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    forceCloseConnections: true,
    // What goes wrong before there is a route, and before there is a request.
    frameworkErrors: (error, _request, reply) => {
      // Generic over a route that there is not.
      void (reply as FastifyReply).code(error.statusCode ?? 400).send(body('INVALID', messageOf(error)));
    },
    clientErrorHandler: (error, socket) => refuseGarbage(error, socket),
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.setValidatorCompiler(({ schema }) => (data) => {
    const result = v.safeParse(schema as v.GenericSchema, data);
    return result.success ? { value: result.output } : { error: new UnetError('INVALID', describe(result.issues)) };
  });
  app.setNotFoundHandler((request, reply) => {
    reply.code(404).send(body('NOT_FOUND', `no such path: ${request.method} ${request.url}`));
  });
  app.setErrorHandler((error: FastifyError | UnetError, request, reply) => {
    const { code, status } = classify(error);
    if (status >= 500) log.error({ err: error, url: request.url }, 'a request failed');
    reply.code(status).send(body(code, messageOf(error)));
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.raw.once('close', idle.hold());
  });
  guard(app.server, native, log);
  return app;
}

/**
 * Hangs up on everybody but processes of our own user in our own user namespace. The directory's mode keeps other users out;
 * this keeps out a guest that found a way to the socket: it has our uid, but a namespace of its own. Who cannot be
 * identified is refused.
 */
function guard(server: Server, native: Pick<NativeModule, 'peerIdentity'>, log: Log): void {
  const uid = process.geteuid?.();
  server.prependListener('connection', (socket: Socket) => {
    const peer = peerOf(socket, native);
    if (peer && peer.uid === uid && peer.sameUserNamespace) return;
    log.warn({ peer }, 'a connection was refused: not this user, or not this user namespace');
    socket.destroy();
  });
}

/** The only answer that is written by hand: the parser gave up, so there is no reply to send it with. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'the headers or the path are too long']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'the request did not come in time']
        : ['400 Bad Request', `this is no HTTP request: ${messageOf(error)}`];
  const text = JSON.stringify(body('INVALID', reason));
  const head = [
    `HTTP/1.1 ${status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

function classify(error: FastifyError | UnetError): { code: ErrorCode; status: number } {
  if (error instanceof UnetError) return { code: error.code, status: STATUS[error.code] };
  const status = error.statusCode ?? 500;
  return status < 500 ? { code: 'INVALID', status } : { code: 'INTERNAL', status };
}

/** `mtu: must be …`: the first thing that is wrong. */
function describe(issues: readonly v.BaseIssue<unknown>[]): string {
  const issue = issues[0];
  const path = issue && v.getDotPath(issue);
  return `invalid request: ${path ? `${path}: ` : ''}${issue?.message ?? 'malformed'}`;
}

function body(code: ErrorCode, message: string): ErrorBody {
  return { error: { code, message } };
}
