import type { DnsService } from '../dns/index.js';
import { renderResolvConf } from '../files/index.js';
import type { ParsedResolvConf } from '../model/resolv-conf.js';
import type { StackEvent } from '../native/index.js';
import type { House } from './house.js';

/** Carries DNS questions from the engine to the service and the answers back. Nothing here is logged per question. */
export function answerDnsEvent(house: House, dns: DnsService, { endpoint, transport, data, query }: StackEvent): void {
  if (query === null) return;
  const reply = (message: Buffer | null) => house.engine.ifRunning((stack) => stack.answerDns(query, message));
  if (endpoint === null || data === null) {
    reply(null);
    return;
  }
  dns
    .answer({ endpoint, transport: transport === 'tcp' ? 'tcp' : 'udp', data })
    .then((answer) => reply(answer && Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength)))
    .catch(() => reply(null));
}

/** The host's search domains or options changed: live containers, which all have the host's, get them in place. */
export function rewriteResolvConf(house: House, host: ParsedResolvConf): void {
  const text = renderResolvConf({ gateway: house.network.gateway, host });
  for (const container of house.registry.all()) {
    if (!container.live) continue;
    container.record.search = [...host.search];
    try {
      house.state.rewriteEtc(container.id, 'resolv.conf', text);
    } catch (error) {
      house.log.warn({ err: error, container: container.id }, 'its resolv.conf was not rewritten');
    }
    void container.serially(() => house.state.save(container.record)).catch(() => {});
  }
}
