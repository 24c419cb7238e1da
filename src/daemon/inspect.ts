import {
  type ContainerDocument,
  type EndpointDocument,
  NEVER,
  type PortBinding,
  type PortBindings,
} from '../api/inspect.js';
import { shortId } from '../model/container-id.js';
import type { ExposedPort } from '../model/exposed-port.js';
import { formatExtraHost } from '../model/extra-host.js';
import { NO_FAULTS } from '../model/fault-spec.js';
import type { Container } from './container.js';
import type { House } from './house.js';

type InspectHouse = Pick<House, 'registry' | 'links' | 'network'>;

interface LinkedChild {
  readonly name: string;
  readonly alias: string;
}

/** Everything of a container in Docker's form. Nothing is kept for it: it is read from the record and the graph at each question. */
export function containerDocument(house: InspectHouse, container: Container): ContainerDocument {
  const { record } = container;
  const { request } = record;
  const exposed = house.links.exposedBy(container);
  const children = childrenOf(house, container);
  const endpoint = endpointOf(house, container, children);
  const { IPAddress, Gateway, MacAddress, IPPrefixLen } = endpoint;
  return {
    Id: record.id,
    Created: record.createdAt,
    Path: request.argv[0] ?? '',
    Args: request.argv.slice(1),
    State: stateOf(container),
    Name: `/${record.name}`,
    HostConfig: {
      Links: children.map(({ name, alias }) => `/${name}:/${record.name}/${alias}`),
      PortBindings: wantedBindings(request.ports),
      NetworkMode: record.network.name,
      Dns: request.dns.servers ?? [],
      DnsSearch: request.dns.search ?? [],
      DnsOptions: request.dns.options ?? [],
      ExtraHosts: request.extraHosts.map(formatExtraHost),
      AutoRemove: request.autoRemove,
      // Nothing asks for it yet: what is published was named.
      PublishAllPorts: false,
    },
    Config: {
      Hostname: record.hostname,
      User: request.user === 'self' ? '' : request.user,
      ExposedPorts: Object.fromEntries(exposed.map((port) => [portKey(port), {}])),
      Tty: request.tty,
      OpenStdin: request.openStdin,
      Env: Object.entries(request.env).map(([name, value]) => `${name}=${value}`),
      Cmd: request.argv,
      WorkingDir: request.cwd,
    },
    NetworkSettings: {
      Ports: container.running ? boundPorts(container, exposed) : {},
      IPAddress,
      Gateway,
      MacAddress,
      IPPrefixLen,
      Networks: { [record.network.name]: endpoint },
    },
    Unet: {
      LinkNames: house.links.namesOf(container).slice(1),
      Mtu: record.network.mtu,
      Device: record.device ?? '',
      HostAccess: { All: request.hostAccess.all, Ports: request.hostAccess.ports },
      Faults: record.faults ?? NO_FAULTS,
    },
  };
}

function stateOf(container: Container): ContainerDocument['State'] {
  const { pid, exitCode, startedAt, finishedAt } = container.record;
  return {
    Status: container.status,
    Running: container.running,
    Pid: pid ?? 0,
    ExitCode: exitCode ?? 0,
    StartedAt: startedAt ?? NEVER,
    FinishedAt: finishedAt ?? NEVER,
  };
}

function endpointOf(
  { network }: InspectHouse,
  { record }: Container,
  children: readonly LinkedChild[],
): EndpointDocument {
  const { lease, name, id, request } = record;
  return {
    IPAddress: lease?.address ?? '',
    Gateway: lease ? network.gateway : '',
    MacAddress: lease?.mac ?? '',
    IPPrefixLen: lease ? network.pool.subnet.prefixLength : 0,
    Aliases: request.networkAliases,
    DNSNames: [...new Set([name, ...request.networkAliases, shortId(id)])],
    Links: children.map(({ name: child, alias }) => `${child}:${alias}`),
  };
}

/** Whom it links to, as they are called now; whoever is gone is left out. */
function childrenOf({ registry }: InspectHouse, { record }: Container): LinkedChild[] {
  return record.links.flatMap(({ child, alias }) => {
    const found = registry.get(child);
    return found ? [{ name: found.name, alias }] : [];
  });
}

function wantedBindings(requests: Container['record']['request']['ports']): PortBindings {
  const bindings: Record<string, PortBinding[]> = {};
  for (const { containerPort, protocol, hostAddress, hostPort } of requests) {
    const range = hostPort === null ? '' : [...new Set([hostPort.from, hostPort.to])].join('-');
    const key = portKey({ port: containerPort, protocol });
    bindings[key] = [...(bindings[key] ?? []), { HostIp: hostAddress ?? '', HostPort: range }];
  }
  return bindings;
}

/** By number, then by protocol: what is published with where, what is exposed alone with null. */
function boundPorts({ record }: Container, exposed: readonly ExposedPort[]): PortBindings {
  const published = record.published.map(({ containerPort, protocol }) => ({ port: containerPort, protocol }));
  const keys = new Set([...exposed, ...published].sort(byNumber).map(portKey));
  return Object.fromEntries(
    [...keys].map((key) => {
      const bindings = record.published
        .filter(({ containerPort, protocol }) => portKey({ port: containerPort, protocol }) === key)
        .map(({ hostAddress, hostPort }) => ({ HostIp: hostAddress, HostPort: String(hostPort) }));
      return [key, bindings.length > 0 ? bindings : null];
    }),
  );
}

function byNumber(a: ExposedPort, b: ExposedPort): number {
  return a.port - b.port || (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0);
}

function portKey({ port, protocol }: ExposedPort): string {
  return `${port}/${protocol}`;
}
