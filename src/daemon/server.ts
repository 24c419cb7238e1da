import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, LogController } from 'fastify';
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
    forceCloseConnections: true,
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
