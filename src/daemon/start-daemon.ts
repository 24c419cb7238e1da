import { rmSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { createDnsService } from '../dns/index.js';
import type { Paths } from '../model/paths.js';
import type { NativeModule } from '../native/index.js';
import { rewriteResolvConf } from './container-dns.js';
import { ControlSocket } from './control-socket.js';
import { daemonFacts } from './daemon-facts.js';
import { answerQuestion } from './dns-bridge.js';
import { serverChoiceOf } from './dns-view.js';
import { Ending } from './ending.js';
import { EndpointEvents } from './endpoint-events.js';
import { EngineHost } from './engine-host.js';
import { EtcFiles } from './etc-files.js';
import type { House } from './house.js';
import { IdleTimer } from './idle-timer.js';
import { LinkGraph } from './links/link-graph.js';
import { Listeners } from './listeners/index.js';
import type { Log } from './log.js';
import { networkSpec, openDefaultNetwork } from './network.js';
import { PortTable } from './port-table.js';
import { announceAll, recover, subnetInUse } from './recover.js';
import { Registry } from './registry.js';
import { addRoutes } from './routes.js';
import { createServer } from './server.js';
import { idleSeconds, readSettings } from './settings.js';
import { StateStore } from './state-store.js';
import { Zone } from './zone.js';

/** How long answers that are under way may take when the daemon ends. */
const CLOSE_MILLISECONDS = 2000;

export interface DaemonOptions {
  readonly version: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly paths: Paths;
  readonly native: NativeModule;
  readonly log: Log;
}

export interface Daemon {
  readonly app: FastifyInstance;
  readonly house: House;
  /** Resolves when it has ended, by idleness or because it was told to. Containers live on. */
  readonly ended: Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * Puts the daemon together and opens its socket. The caller holds the locks: nobody else serves these directories.
 *
 * @throws UnetError, or the addon's error when the engine cannot start
 */
export async function startDaemon({ version, env, paths, native, log }: DaemonOptions): Promise<Daemon> {
  const startedAt = new Date();
  const seconds = idleSeconds(env);
  const settings = readSettings(env, paths);
  const state = new StateStore(paths.containersDirectory, new EtcFiles(native, log));
  const loaded = state.load();
  const network = openDefaultNetwork(subnetInUse(loaded));
  const idle = new IdleTimer(seconds, () => void shutdown('nothing to do'));

  const engine = new EngineHost({
    native,
    handoffSocket: paths.handoffSocket,
    network: networkSpec(network),
    log,
    onEvent: (event) => events.handle(event),
    onQuestion: (question, reply) => answerQuestion(dns, question, reply),
    onRestart: () => announceAll(house, events),
  });
  const registry = new Registry();
  const house: House = {
    paths,
    settings,
    log,
    engine,
    network,
    ports: new PortTable({ nameOf: (id) => house.registry.get(id)?.name }),
    registry,
    state,
    idle,
    links: new LinkGraph({ registry, state, network, log }, new Listeners()),
    hostResolvConf: () => dns.host(),
  };
  const zone = new Zone(house);
  const dns = createDnsService({
    lookup: (asker, name) => zone.lookup(asker, name),
    reverse: (address) => zone.reverse(address),
    owns: (address, prefixLength) => zone.owns(address, prefixLength),
    search: (asker) => zone.search(asker),
    isGateway: (address) => address === network.gateway,
    isInside: (_asker, address) => zone.owns(address, 32),
    serversOf: (asker) => serverChoiceOf(house, asker),
    askInside: (address, message) => engine.askGuest(address, Buffer.from(message)),
    log,
    onHostChange: (host) => rewriteResolvConf(house, host),
  });
  const ending = new Ending(house);
  const events = new EndpointEvents(house, ending);

  const app = createServer({ log, idle, native });
  const socket = new ControlSocket(paths, log);
  let finish: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let closing: Promise<void> | null = null;
  function shutdown(reason: string): Promise<void> {
    closing ??= (async () => {
      log.info({ reason }, 'daemon ends');
      idle.stop();
      socket.remove();
      await Promise.race([app.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_MILLISECONDS).unref())]);
      dns.close();
      house.links.close();
      engine.close();
      finish();
    })();
    return closing;
  }

  rmSync(paths.handoffSocket, { force: true });
  engine.start();
  try {
    await recover(house, ending, events, loaded);
    // The host's file may have changed while no daemon ran.
    rewriteResolvConf(house, dns.host());
    addRoutes(app, {
      house,
      ending,
      zone,
      dns,
      version,
      facts: () => daemonFacts(house, version, startedAt, seconds),
      shutdown: () => void shutdown('it was told to'),
    });
    await socket.listen(app);
    socket.watch(app, () => void shutdown('nobody can find its socket'));
  } catch (error) {
    await shutdown('it could not start');
    throw error;
  }
  log.info({ version, subnet: network.subnet, socket: paths.controlSocket, idleSeconds: seconds }, 'daemon started');
  return { app, house, ended, shutdown: () => shutdown('it was told to') };
}
