import type { ContainerDns, DnsExplanation, DnsFigures, DnsName, DnsUpstream, NetworkDns } from '../../api/index.js';
import { shortId } from '../../model/container-id.js';
import { renderFacts } from './facts.js';
import { renderTable } from './table.js';

const NAME_HEADER = ['NAME', 'WHY', 'CONTAINER', 'ADDRESS'];
const UPSTREAM_HEADER = ['UPSTREAM', 'FROM', 'ASKED', 'ANSWERED', 'LAST', 'STATE'];

export function renderContainerDns(dns: ContainerDns): string {
  const facts = renderFacts([
    ['Container', `${dns.name} (${shortId(dns.id)}) on ${dns.network}`],
    ['Nameserver', dns.nameservers.join(', ')],
    ['Search', dns.search.join(' ') || 'none'],
    ['Questions', figuresText(dns.figures)],
  ]);
  return [facts, nameTable(dns.names), alsoBehind(dns.network), upstreamTable(dns.upstreams)].join('\n');
}

export function renderNetworkDns(dns: NetworkDns): string {
  const { network, cache, inFlight } = dns;
  const facts = renderFacts([
    ['Network', `${network.name} ${network.subnet}`],
    ['Nameserver', network.gateway],
    ['Questions', figuresText(dns.figures)],
    ['On their way', String(inFlight)],
    ['Cache', `${cache.entries} ${cache.entries === 1 ? 'answer' : 'answers'}, ${Math.ceil(cache.bytes / 1024)} KiB`],
  ]);
  return [facts, nameTable(dns.names), alsoBehind(network.name), upstreamTable(dns.upstreams)].join('\n');
}

/** @param asker the container's name as it was typed */
export function renderExplanation(asker: string, explanation: DnsExplanation): string {
  const { name, type, rcode, answers, tries } = explanation;
  const records = answers.map((record) => `${record.name} ${record.ttl} ${record.type} ${record.data}`);
  const asked = tries.map(
    ({ server, origin, result, milliseconds }) => `${server} (${fromText(origin)}): ${result} after ${milliseconds} ms`,
  );
  const lines = (label: string, values: readonly string[]) =>
    values.map((value, index): [string, string] => [index === 0 ? label : '', value]);
  return renderFacts([
    ['Question', `${name} ${type}, asked by ${asker}`],
    ['Answer', rcode === 'NOERROR' && records.length === 0 ? 'NOERROR, no records' : rcode],
    ...lines('Records', records),
    ['Why', whyText(asker, explanation)],
    ...lines('Asked', asked),
  ]).replace(/^:( +)/gm, ' $1');
}

function whyText(asker: string, explanation: DnsExplanation): string {
  switch (explanation.source) {
    case 'local':
      return localText(asker, explanation);
    case 'reverse':
      return "answered here: an address of unet's own network, which nobody outside is asked about";
    case 'cache':
      return `no name of a container; answered from the cache, where it has been for ${explanation.age ?? 0} s`;
    case 'merged':
      return 'no name of a container; the same question was on its way already';
    case 'server':
      return 'no name of a container; forwarded';
    case 'refused':
      return 'no name of a container; refused, for too many questions of this container are on their way';
    case 'nobody':
      return explanation.tries.length === 0
        ? 'no name of a container, and no server is known to forward it to'
        : 'no name of a container; forwarded, and no server answered';
  }
}

function localText(asker: string, { rule, owners, suffix, down, answers, type }: DnsExplanation): string {
  const whose = owners.join(', ');
  const what = {
    name: `the name of container ${whose}`,
    alias: `a network alias of ${whose}`,
    id: `the short id of container ${whose}`,
    link: whose === '' ? `a link of ${asker} to a container that is gone` : `what ${asker} calls its link to ${whose}`,
    host: 'the host',
  }[rule ?? 'name'];
  const stripped = suffix === null ? '' : `, after the search domain ${suffix} was taken off`;
  return `answered here: ${what}${stripped}${stateText()}`;

  function stateText(): string {
    if (down && rule === 'host') return `; ${asker} may not reach it (--host-access)`;
    if (down) return '; it is down, and nobody else is asked';
    return answers.length === 0 ? `; it has no ${type} record, and nobody else is asked` : '';
  }
}

function nameTable(names: readonly DnsName[]): string {
  return renderTable(
    NAME_HEADER,
    names.map(({ name, rule, owners, addresses }) => {
      return [name, rule, owners.join(', ') || '-', addresses.join(', ') || 'down'];
    }),
  );
}

function alsoBehind(network: string): string {
  return `Each also with .${network} behind it, and with a search domain.\n`;
}

function upstreamTable(upstreams: readonly DnsUpstream[]): string {
  if (upstreams.length === 0) return 'No upstream: other names are answered with SERVFAIL.\n';
  return renderTable(
    UPSTREAM_HEADER,
    upstreams.map(({ address, origin, inside, asked, answered, lastMilliseconds, ...upstream }) => {
      const last = lastMilliseconds === null ? '-' : `${lastMilliseconds} ms`;
      const place = inside ? `${address} (in its network)` : address;
      return [place, fromText(origin), String(asked), String(answered), last, healthText(answered, upstream)];
    }),
  );
}

function healthText(answered: number, upstream: Pick<DnsUpstream, 'failed' | 'reason' | 'failedForSeconds'>): string {
  const { failed, reason, failedForSeconds } = upstream;
  if (failed) return `asked last: ${reason}, ${failedForSeconds} s ago`;
  return answered === 0 ? 'not asked yet' : 'answers';
}

function fromText(origin: DnsUpstream['origin']): string {
  return origin === 'run' ? '--dns' : origin;
}

function figuresText({ questions, ...parts }: DnsFigures): string {
  const told = Object.entries(parts).filter(([, count]) => count > 0);
  if (told.length === 0) return String(questions);
  return `${questions} (${told.map(([what, count]) => `${count} ${what}`).join(', ')})`;
}
