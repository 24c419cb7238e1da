import { MAX_NAMESERVERS, type ParsedResolvConf, parseResolvConf } from '../model/resolv-conf.js';
import { admit } from './admit.js';
import { watchHostFile } from './host-resolv-conf.js';
import type { Query } from './query.js';
import { errorReply } from './reply.js';
import { resolve, type Zone } from './resolver.js';
import { cutReply, udpReplyLimit } from './truncate.js';
import { type Transport, Upstream, type UpstreamLog } from './upstream.js';
import { RCODE } from './wire.js';

export interface DnsOptions extends Zone {
  readonly log: UpstreamLog;
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

export interface UpstreamStatus {
  readonly address: string;
  /** Did not answer lately and is asked last. */
  readonly failed: boolean;
}

export interface DnsService {
  /** The reply to send, or null when none is due. Never rejects. */
  answer(question: DnsQuestion): Promise<Uint8Array | null>;
  upstreams(): UpstreamStatus[];
  /** The host's resolv.conf as it stands now. */
  host(): ParsedResolvConf;
  close(): void;
}

const DEFAULT_RESOLV_CONF = '/etc/resolv.conf';

/** The DNS server at the gateway: answers container names, forwards the rest to whom the host asks at this moment. */
export function createDnsService(options: DnsOptions): DnsService {
  const path = options.resolvConfPath ?? DEFAULT_RESOLV_CONF;
  const file = watchHostFile(path, (text) => adopt(text));
  let host = parseResolvConf(file.current(), path);
  const upstream = new Upstream({
    servers,
    log: options.log,
    ...(options.upstreamPort && { port: options.upstreamPort }),
  });

  function adopt(text: string | null): void {
    host = parseResolvConf(text, path);
    options.log.info({ path, nameservers: host.nameservers, invalid: host.invalid }, "the host's resolv.conf changed");
    options.onHostChange?.(host);
  }

  function servers(): readonly string[] {
    file.current();
    return host.nameservers.slice(0, MAX_NAMESERVERS);
  }

  async function reply(query: Query, { endpoint, transport }: DnsQuestion): Promise<Uint8Array> {
    const resolution = resolve(query, endpoint, options);
    if (resolution.kind === 'answer') return resolution.message;
    return (await upstream.forward(query, endpoint, transport)) ?? errorReply(query, RCODE.SERVFAIL);
  }

  return {
    async answer(question) {
      const admission = admit(question.data);
      if (admission.kind === 'drop') return null;
      if (admission.kind === 'reply') return admission.message;
      const { query } = admission;
      let message: Uint8Array;
      try {
        message = await reply(query, question);
      } catch (error) {
        options.log.warn({ err: error, endpoint: question.endpoint }, 'a DNS question could not be answered');
        message = errorReply(query, RCODE.SERVFAIL);
      }
      return question.transport === 'udp' ? cutReply(message, udpReplyLimit(query)) : message;
    },
    upstreams: () => servers().map((address) => ({ address, failed: upstream.hasFailed(address) })),
    host: () => host,
    close() {
      file.close();
      upstream.close();
    },
  };
}
