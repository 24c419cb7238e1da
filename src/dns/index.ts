import type { DnsExplanation, DnsFigures } from '../model/dns-report.js';
import { MAX_NAMESERVERS, type ParsedResolvConf, parseResolvConf } from '../model/resolv-conf.js';
import { admit } from './admit.js';
import type { AskInside } from './ask-inside.js';
import type { Transport } from './ask-server.js';
import { Askers } from './askers.js';
import { explain } from './explain.js';
import { type Forwarded, Forwarder } from './forwarder.js';
import { watchHostFile } from './host-resolv-conf.js';
import type { Query } from './query.js';
import { errorReply } from './reply.js';
import { type Decision, decide, localReply, type Zone } from './resolver.js';
import type { HealthFigures } from './server-health.js';
import { type Reach, type Server, type ServerChoice, type ServerList, serverList } from './servers.js';
import { cutReply, udpReplyLimit } from './truncate.js';
import { Upstream, type UpstreamLog } from './upstream.js';
import { RCODE } from './wire.js';

export type { LocalName, Zone } from './resolver.js';
export type { HealthFigures } from './server-health.js';
export type { Reach, Server, ServerChoice } from './servers.js';

export interface DnsOptions extends Zone, Partial<Reach> {
  readonly log: UpstreamLog;
  /** Servers of a container's run or of the daemon; null, and where this is absent: the host's. */
  readonly serversOf?: (asker: string) => ServerChoice | null;
  /** Asks a server that stands in the container's own network. */
  readonly askInside?: AskInside;
  readonly resolvConfPath?: string;
  /** Where upstreams listen: 53, but for tests. */
  readonly upstreamPort?: number;
  /** Called after the host's file has changed; for containers whose search or options are the host's. */
  readonly onHostChange?: (host: ParsedResolvConf) => void;
}

export interface DnsQuestion {
  /** The container that asks. */
  readonly endpoint: string;
  readonly transport: Transport;
  /** One message, without the length prefix of TCP. */
  readonly data: Uint8Array;
}

export interface UpstreamStatus extends HealthFigures {
  readonly server: Server;
}

export interface ServiceFigures extends DnsFigures {
  /** Questions on their way now. */
  readonly inFlight: number;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
}

/** The reply to send, or null when none is due. */
export type Answer = Uint8Array | null;

export interface DnsService {
  /** At once where nobody need be asked; never throws and never rejects. */
  answer(question: DnsQuestion): Answer | Promise<Answer>;
  /** Asks for a container as it would ask itself, and says how the answer comes about. @throws UnetError INVALID */
  explain(endpoint: string, name: string, type: string): Promise<DnsExplanation>;
  /** Whom a container's questions go to; without one: the host's servers. */
  upstreams(endpoint?: string): UpstreamStatus[];
  /** Of one container, or of all. */
  figures(endpoint: string): DnsFigures;
  totals(): ServiceFigures;
  /** The host's resolv.conf as it stands now. */
  host(): ParsedResolvConf;
  close(): void;
}

const DEFAULT_RESOLV_CONF = '/etc/resolv.conf';
/** Whose bounds and counts `explain` has. */
const OURSELVES = 'unet dns query';
/** Its length is a number of 16 bits. */
const MAX_TCP_REPLY_BYTES = 65_535;
const NOWHERE: Reach = { isGateway: () => false, isInside: () => false };
/** Lists that are remembered; made anew in a few microseconds. */
const MAX_LISTS = 1024;

/** The DNS server at the gateway: answers container names, forwards the rest to whom the host, or the run, says. */
export function createDnsService(options: DnsOptions): DnsService {
  const path = options.resolvConfPath ?? DEFAULT_RESOLV_CONF;
  const file = watchHostFile(path, (text) => adopt(text));
  let host = parseResolvConf(file.current(), path);
  const upstream = new Upstream(options.log, options.upstreamPort, options.askInside);
  const askers = new Askers();
  const forwarder = new Forwarder(upstream, askers);
  const lists = new ServerLists({ ...NOWHERE, ...options });

  function adopt(text: string | null): void {
    const before = host.nameservers.join();
    host = parseResolvConf(text, path);
    options.log.info({ path, nameservers: host.nameservers, invalid: host.invalid }, "the host's resolv.conf changed");
    // Other servers may know other answers, and the way to the same ones is another after a change of network.
    if (host.nameservers.join() !== before) forwarder.cache.clear();
    options.onHostChange?.(host);
  }

  function listOf(endpoint: string): ServerList {
    file.current();
    return lists.of(endpoint, options.serversOf?.(endpoint) ?? null, host.nameservers);
  }

  /** In earnest, but on our own account: it is not the container that asks. */
  async function explained(query: Query, id: string): Promise<[Decision, Forwarded | Uint8Array]> {
    const now = performance.now();
    const asker = askers.get(OURSELVES, now);
    askers.count(asker, 'questions');
    const decision = decide(query, id, options);
    const local = localReply(query, decision);
    if (local === null) {
      const list = listOf(id);
      return [decision, await forwarder.forward(query, { asker, id: OURSELVES, list, transport: 'udp', now })];
    }
    askers.count(asker, 'local');
    return [decision, local];
  }

  function trouble(query: Query, error: unknown, endpoint: string): Uint8Array {
    options.log.warn({ err: error, endpoint }, 'a DNS question could not be answered');
    return errorReply(query, RCODE.SERVFAIL);
  }

  return {
    answer({ endpoint, transport, data }) {
      const now = performance.now();
      const asker = askers.get(endpoint, now);
      askers.count(asker, 'questions');
      const admission = asker.answers.take(now) ? admit(data) : DROP;
      if (admission.kind === 'drop') askers.count(asker, 'dropped');
      if (admission.kind !== 'query') return admission.kind === 'reply' ? admission.message : null;
      const { query } = admission;
      const fitted = (message: Uint8Array): Uint8Array =>
        cutReply(message, transport === 'udp' ? udpReplyLimit(query) : MAX_TCP_REPLY_BYTES);
      try {
        const local = localReply(query, decide(query, endpoint, options));
        if (local !== null) {
          askers.count(asker, 'local');
          return fitted(local);
        }
        const list = listOf(endpoint);
        const forwarded = forwarder.forward(query, { asker, id: endpoint, list, transport, now });
        if (!(forwarded instanceof Promise)) return fitted(forwarded.message);
        return forwarded.then(({ message }) => fitted(message)).catch((error) => trouble(query, error, endpoint));
      } catch (error) {
        return trouble(query, error, endpoint);
      }
    },
    explain: (endpoint, name, type) => explain({ name, type }, (query) => explained(query, endpoint)),
    upstreams(endpoint) {
      const list = endpoint === undefined ? lists.of('', null, hostServers()) : listOf(endpoint);
      return list.servers.map((server) => ({ server, ...upstream.health(server) }));
    },
    figures: (endpoint) => askers.figures(endpoint),
    totals: () => ({
      ...askers.total,
      inFlight: askers.inFlight,
      cacheEntries: forwarder.cache.entries,
      cacheBytes: forwarder.cache.bytes,
    }),
    host: () => host,
    close() {
      file.close();
      upstream.close();
    },
  };

  function hostServers(): readonly string[] {
    file.current();
    return host.nameservers;
  }
}

const DROP = { kind: 'drop' } as const;

/** The list of each container, made anew when what it is made of is another. */
class ServerLists {
  readonly #reach: Reach;
  readonly #made = new Map<string, { from: readonly string[]; list: ServerList }>();

  constructor(reach: Reach) {
    this.#reach = reach;
  }

  of(endpoint: string, choice: ServerChoice | null, host: readonly string[]): ServerList {
    const from = choice?.servers ?? host;
    const known = this.#made.get(endpoint);
    if (known?.from === from) return known.list;
    const list = serverList(choice, host.slice(0, MAX_NAMESERVERS), endpoint, this.#reach);
    if (this.#made.size >= MAX_LISTS) this.#made.clear();
    this.#made.set(endpoint, { from, list });
    return list;
  }
}
