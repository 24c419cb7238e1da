import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type * as v from 'valibot';
import { API_VERSION, NDJSON, routes } from '../api/routes.js';
import {
  createContainerSchema,
  daemonStopSchema,
  faultChangeSchema,
  listQuerySchema,
  logsQuerySchema,
  removeQuerySchema,
  stopSchema,
  waitQuerySchema,
} from '../api/schemas.js';
import type { ContainerRequest, DaemonInfo, VersionInfo, WaitResult } from '../api/types.js';
import { UnetError } from '../model/errors.js';
import type { FaultChange } from '../model/fault-spec.js';
import type { Container } from './container.js';
import { createContainer } from './create-container.js';
import type { Ending } from './ending.js';
import { changeFaults, changeFaultsBetween, faultsBetween, faultsOf } from './faults.js';
import type { House } from './house.js';
import { openOutputLog, readOutputLog } from './output-log.js';
import { removeContainer, stopContainer } from './stop-container.js';

export interface RouteDependencies {
  readonly house: House;
  readonly ending: Ending;
  readonly version: string;
  readonly facts: () => DaemonInfo;
  /** Ends the daemon, after the answer is out. */
  readonly shutdown: () => void;
}

/** How long a container on its way up may take when the daemon is to be replaced under it. */
const UP_MILLISECONDS = 3000;
/** Seconds that `daemon stop --all` gives each container. */
const STOP_SECONDS = 10;

interface RefParams {
  readonly ref: string;
  readonly peer: string;
}

/** The control API. What a path means to a client stands in api/client.ts. */
export function addRoutes(app: FastifyInstance, { house, ending, version, facts, shutdown }: RouteDependencies): void {
  const find = (request: FastifyRequest): Container => house.registry.resolve((request.params as RefParams).ref);
  const findPeer = (request: FastifyRequest): Container => house.registry.resolve((request.params as RefParams).peer);

  app.get(routes.version, (): VersionInfo => ({ version, apiVersion: API_VERSION, pid: process.pid }));

  app.get(routes.daemon, facts);

  app.post(routes.daemonStop, { schema: { body: daemonStopSchema } }, async (request, reply) => {
    const { all, keepContainers } = request.body as v.InferOutput<typeof daemonStopSchema>;
    const live = house.registry.all().filter((container) => container.live);
    if (keepContainers) await Promise.all(live.map(upOrEnded));
    else if (live.length > 0 && !all) throw stillRunning(live);
    else await Promise.all(live.map((container) => stopContainer(house, ending, container, STOP_SECONDS)));
    reply.raw.once('close', shutdown);
    return {};
  });

  app.get(routes.containers, { schema: { querystring: listQuerySchema } }, (request) => {
    const { all } = request.query as v.InferOutput<typeof listQuerySchema>;
    return house.registry
      .all()
      .filter((container) => all || container.running)
      .map((container) => container.summary());
  });

  app.post(routes.containers, { schema: { body: createContainerSchema } }, async (request, reply) => {
    const created = await createContainer(house, ending, request.body as ContainerRequest, whenConnectionEnds(request));
    return reply.code(201).send(created);
  });

  app.get(routes.container(':ref'), (request) => find(request).summary());

  app.delete(routes.container(':ref'), { schema: { querystring: removeQuerySchema } }, async (request) => {
    const { force } = request.query as v.InferOutput<typeof removeQuerySchema>;
    await removeContainer(house, ending, find(request), force);
    return {};
  });

  app.post(routes.containerStop(':ref'), { schema: { body: stopSchema } }, async (request) => {
    const { timeoutSeconds } = request.body as v.InferOutput<typeof stopSchema>;
    await stopContainer(house, ending, find(request), timeoutSeconds);
    return {};
  });

  app.get(routes.containerWait(':ref'), { schema: { querystring: waitQuerySchema } }, async (request) => {
    const { until, launcherEnded } = request.query as v.InferOutput<typeof waitQuerySchema>;
    const container = find(request);
    if (launcherEnded && container.record.phase === 'created') await ending.undo(container, 'its launcher ended');
    const met = () => container.ended || (until === 'started' && container.running);
    await container.waitFor(met, { signal: whenConnectionEnds(request) });
    return waitResult(container);
  });

  app.get(routes.containerFaults(':ref'), (request) => faultsOf(house, find(request)));

  app.patch(routes.containerFaults(':ref'), { schema: { body: faultChangeSchema } }, (request) =>
    changeFaults(house, find(request), request.body as FaultChange),
  );

  app.get(routes.faultsBetween(':ref', ':peer'), (request) => faultsBetween(find(request), findPeer(request)));

  app.patch(routes.faultsBetween(':ref', ':peer'), { schema: { body: faultChangeSchema } }, (request) =>
    changeFaultsBetween(house, find(request), findPeer(request), request.body as FaultChange),
  );

  app.get(routes.containerLogs(':ref'), { schema: { querystring: logsQuerySchema } }, async (request, reply) => {
    const { follow, tail } = request.query as v.InferOutput<typeof logsQuerySchema>;
    const container = find(request);
    const pieces = readOutputLog(await openOutputLog(house.state.outputLog(container.id)), {
      follow,
      tail,
      ended: () => !container.live,
      onChange: (listener) => container.onChange(listener),
      signal: whenConnectionEnds(request),
    });
    return reply.type(NDJSON).send(Readable.from(pieces, { objectMode: false }));
  });
}

/** One signal a connection, however many requests come over it. */
const connectionEnds = new WeakMap<Socket, AbortSignal>();

function whenConnectionEnds({ raw: { socket } }: FastifyRequest): AbortSignal {
  const known = connectionEnds.get(socket);
  if (known) return known;
  const controller = new AbortController();
  if (socket.destroyed) controller.abort();
  else socket.once('close', () => controller.abort());
  connectionEnds.set(socket, controller.signal);
  return controller.signal;
}

/** Before "go" a launcher gives up when its daemon ends; after that it goes on. */
function upOrEnded(container: Container): Promise<boolean> {
  return container.waitFor(() => container.running || container.ended, { milliseconds: UP_MILLISECONDS });
}

function waitResult(container: Container): WaitResult {
  const { status, exitCode } = container.summary();
  return { status: container.removed ? 'removed' : status, exitCode };
}

function stillRunning(live: readonly Container[]): UnetError {
  const names = live.map(({ name }) => name).join(', ');
  const verb = live.length === 1 ? 'container runs' : 'containers run';
  return new UnetError(
    'CONFLICT',
    `${live.length} ${verb}: ${names}; stop them first, or say 'unet daemon stop --all'`,
  );
}
