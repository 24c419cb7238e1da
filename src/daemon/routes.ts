import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type * as v from 'valibot';
import { API_VERSION, NDJSON, routes } from '../api/routes.js';
import {
  createContainerSchema,
  createQuerySchema,
  daemonStopSchema,
  faultChangeSchema,
  listQuerySchema,
  logsQuerySchema,
  removeQuerySchema,
  renameSchema,
  startSchema,
  stopSchema,
  waitQuerySchema,
} from '../api/schemas.js';
import type { ContainerRequest, DaemonInfo, VersionInfo, WaitResult } from '../api/types.js';
import { UnetError } from '../model/errors.js';
import type { FaultChange } from '../model/fault-spec.js';
import type { Container } from './container.js';
import { createContainer, makeContainer } from './create-container.js';
import type { DnsParts } from './dns-view.js';
import type { Ending } from './ending.js';
import { changeFaults, changeFaultsBetween, faultsBetween, faultsOf } from './faults.js';
import type { House } from './house.js';
import { openOutputLog, readOutputLog } from './output-log.js';
import { renameContainer } from './rename-container.js';
import { addDnsRoutes } from './routes/dns.js';
import { addInspectRoute } from './routes/inspect.js';
import { addLinkRoutes } from './routes/links.js';
import { startContainer } from './start-container.js';
import { removeContainer, stopContainer } from './stop-container.js';

export interface RouteDependencies extends DnsParts {
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
export function addRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { house, ending, version, facts, shutdown } = dependencies;
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
      .map((container) => container.summary(house.links));
  });

  const createSchema = { body: createContainerSchema, querystring: createQuerySchema };
  app.post(routes.containers, { schema: createSchema }, async (request, reply) => {
    const { start } = request.query as v.InferOutput<typeof createQuerySchema>;
    const wish = request.body as ContainerRequest;
    const created =
      start === 'true'
        ? await createContainer(house, ending, wish, whenConnectionEnds(request))
        : await makeContainer(house, ending, wish);
    return reply.code(201).send(created);
  });

  app.post(routes.containerStart(':ref'), { schema: { body: startSchema } }, (request) => {
    const { attach } = request.body as v.InferOutput<typeof startSchema>;
    const start = { detach: !attach, creator: whenConnectionEnds(request) };
    return startContainer(house, ending, find(request), start);
  });

  app.post(routes.containerRename(':ref'), { schema: { body: renameSchema } }, async (request) => {
    const { name } = request.body as v.InferOutput<typeof renameSchema>;
    await renameContainer(house, find(request), name);
    return {};
  });

  app.get(routes.container(':ref'), (request) => find(request).summary(house.links));

  app.delete(routes.container(':ref'), { schema: { querystring: removeQuerySchema } }, async (request) => {
    const { force } = request.query as v.InferOutput<typeof removeQuerySchema>;
    await removeContainer(house, ending, find(request), force);
    return {};
  });

  app.post(routes.containerStop(':ref'), { schema: { body: stopSchema } }, async (request) => {
    const { timeoutSeconds, keep } = request.body as v.InferOutput<typeof stopSchema>;
    await stopContainer(house, ending, find(request), timeoutSeconds, keep);
    return {};
  });

  app.get(routes.containerWait(':ref'), { schema: { querystring: waitQuerySchema } }, async (request) => {
    const { until, launcherEnded, ticket } = request.query as v.InferOutput<typeof waitQuerySchema>;
    const container = find(request);
    let result: WaitResult | null = null;
    const met = () => {
      if (!container.ended && !(until === 'started' && container.running)) return false;
      // Now: whoever is woken before us may start it again.
      result = waitResult(container);
      return true;
    };
    const waiting = container.waitFor(met, { signal: whenConnectionEnds(request) });
    const isLauncher = ticket === undefined || ticket === container.record.ticket;
    if (launcherEnded && isLauncher && container.record.phase === 'created') {
      await ending.undo(container, 'its launcher ended');
    }
    await waiting;
    return result ?? waitResult(container);
  });

  app.get(routes.containerFaults(':ref'), (request) => faultsOf(house, find(request)));

  app.patch(routes.containerFaults(':ref'), { schema: { body: faultChangeSchema } }, (request) =>
    changeFaults(house, find(request), request.body as FaultChange),
  );

  app.get(routes.faultsBetween(':ref', ':peer'), (request) => faultsBetween(find(request), findPeer(request)));

  app.patch(routes.faultsBetween(':ref', ':peer'), { schema: { body: faultChangeSchema } }, (request) =>
    changeFaultsBetween(house, find(request), findPeer(request), request.body as FaultChange),
  );

  addDnsRoutes(app, dependencies, find);

  addInspectRoute(app, house, find);

  addLinkRoutes(app, house);

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
  return { status: container.removed ? 'removed' : container.status, exitCode: container.record.exitCode };
}

function stillRunning(live: readonly Container[]): UnetError {
  const names = live.map(({ name }) => name).join(', ');
  const verb = live.length === 1 ? 'container runs' : 'containers run';
  return new UnetError(
    'CONFLICT',
    `${live.length} ${verb}: ${names}; stop them first, or say 'unet daemon stop --all'`,
  );
}
