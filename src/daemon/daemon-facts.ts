import type { DaemonInfo } from '../api/types.js';
import type { House } from './house.js';

const NO_FACTS = { flows: 0, counters: {}, drops: {} };

/** What `unet daemon status` and `unet doctor` show. */
export function daemonFacts(house: House, version: string, startedAt: Date, idleSeconds: number): DaemonInfo {
  const { engine, network, paths, registry, settings } = house;
  const containers = registry.all();
  return {
    version,
    apiVersion: 'v1',
    pid: process.pid,
    uid: process.geteuid?.() ?? 0,
    startedAt: startedAt.toISOString(),
    idleSeconds,
    runtimeDirectory: paths.runtimeDirectory,
    stateDirectory: paths.stateDirectory,
    logFile: paths.logFile,
    configFile: paths.configFile,
    settings,
    containers: { running: containers.filter(({ live }) => live).map(({ name }) => name), total: containers.length },
    network: { name: network.name, subnet: network.subnet, gateway: network.gateway, mtu: network.mtu },
    engine: { running: engine.running, restarts: engine.restarts, ...counts(house) },
  };
}

function counts({ engine }: House): typeof NO_FACTS {
  let facts = NO_FACTS;
  engine.ifRunning((stack) => {
    const { flows, counters, drops } = stack.snapshot();
    facts = { flows, counters, drops };
  });
  return facts;
}
