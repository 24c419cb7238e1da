import type { ContainerDocument } from '../../api/inspect.js';
import type { Aliases } from '../template/evaluator.js';
import type { Value } from '../template/index.js';

/** What is a Go map in Docker's document, and not a struct: a key that is missing there is no error. */
const MAPS: readonly string[] = [
  'Config.ExposedPorts',
  'HostConfig.PortBindings',
  'NetworkSettings.Ports',
  'NetworkSettings.Networks',
];

/** How Docker's Go source spells fields that its JSON spells otherwise; templates may say either. */
export const DOCUMENT_ALIASES: Aliases = {
  ID: 'Id',
  DNS: 'Dns',
  DNSSearch: 'DnsSearch',
  DNSOptions: 'DnsOptions',
  HostIP: 'HostIp',
};

export function documentValue(document: ContainerDocument): Value {
  // It came as JSON, and is JSON: of what types cannot say, only the maps are to be told apart.
  return withMaps(document as unknown as Value, '');
}

function withMaps(value: Value, path: string): Value {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, item]): [string, Value] => {
    return [key, withMaps(item, path === '' ? key : `${path}.${key}`)];
  });
  return MAPS.includes(path) ? new Map(entries) : Object.fromEntries(entries);
}
