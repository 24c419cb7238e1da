import type { Paths } from '../model/paths.js';
import type { ParsedResolvConf } from '../model/resolv-conf.js';
import type { EngineHost } from './engine-host.js';
import type { IdleTimer } from './idle-timer.js';
import type { Links } from './links/index.js';
import type { Log } from './log.js';
import type { Network } from './network.js';
import type { PortTable } from './port-table.js';
import type { Registry } from './registry.js';
import type { Settings } from './settings.js';
import type { StateStore } from './state-store.js';

/** What the parts of the daemon share; put together once, in start-daemon.ts. */
export interface House {
  readonly paths: Paths;
  readonly settings: Settings;
  readonly log: Log;
  readonly engine: EngineHost;
  readonly network: Network;
  readonly ports: PortTable;
  readonly registry: Registry;
  readonly state: StateStore;
  readonly idle: IdleTimer;
  readonly links: Links;
  /** The host's resolv.conf as it stands now. */
  readonly hostResolvConf: () => ParsedResolvConf;
}
