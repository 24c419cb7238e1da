import { UnetError } from '../../model/errors.js';
import type { ExposedPort } from '../../model/exposed-port.js';
import { linkEnvironment, linkEnvPrefix } from '../../model/link-env.js';
import type { Container } from '../container.js';
import type { Listeners } from '../listeners/index.js';
import type { Registry } from '../registry.js';
import type { LinksAtStart } from './index.js';

export interface LinkSources {
  readonly registry: Pick<Registry, 'get'>;
  readonly listeners: Pick<Listeners, 'first'>;
  exposedBy(child: Container): readonly ExposedPort[];
}

interface Linked {
  readonly child: Container;
  readonly alias: string;
}

/** What a start needs of its links: see `Links.prepare`. */
export async function prepareLinks(
  parent: Container,
  signal: AbortSignal,
  sources: LinkSources,
): Promise<LinksAtStart> {
  const { request } = parent.record;
  const silent = requireChildren(parent, sources.registry).filter(
    ({ child }) => child.record.request.exposeSeen && sources.exposedBy(child).length === 0,
  );
  const milliseconds = request.linkWaitSeconds * 1000;
  await Promise.all(silent.map(({ child }) => sources.listeners.first(child, { milliseconds, signal })));

  // Looked at anew: one may have ended while another was waited for.
  const env: Record<string, string> = {};
  const warnings: string[] = [];
  for (const { child, alias } of requireChildren(parent, sources.registry)) {
    const exposed = sources.exposedBy(child);
    if (exposed.length === 0 && child.record.request.exposeSeen) warnings.push(nothingSeen(child, alias, request));
    const facts = {
      parent: parent.name,
      alias,
      address: child.record.lease?.address ?? '',
      exposed,
      environment: child.record.request.env,
    };
    // Two aliases may have one prefix (my-db and my_db): here too the first wins.
    for (const [name, value] of Object.entries(linkEnvironment(facts, request.linkEnv))) env[name] ??= value;
  }
  return { env, warnings };
}

/** @throws UnetError CONFLICT */
function requireChildren(parent: Container, registry: LinkSources['registry']): Linked[] {
  return parent.record.links.map(({ child: id, alias }) => {
    const child = registry.get(id);
    const link = `/${child?.name ?? nameOfTheDead(parent, alias)} AS /${parent.name}/${alias}`;
    if (!child?.running) throw new UnetError('CONFLICT', `Cannot link to a non running container: ${link}`);
    if (child.record.network.name !== parent.record.network.name) {
      throw new UnetError('CONFLICT', `Cannot link to ${link}: no common network`);
    }
    return { child, alias };
  });
}

/** It was removed, and only what was typed for it is left. */
function nameOfTheDead({ record: { request } }: Container, alias: string): string {
  const typed = request.links.find((link) => link.alias === alias)?.target ?? alias;
  return typed.replace(/^\//, '');
}

function nothingSeen(
  { name }: Container,
  alias: string,
  { linkWaitSeconds, linkEnv }: Container['record']['request'],
): string {
  const effect = linkEnv === 'none' ? '' : `, so ${linkEnvPrefix(alias)}_PORT and the like are not set`;
  return `linked container ${name} listens on no port after ${linkWaitSeconds} s${effect}; start it with --expose PORT, or wait longer with --link-wait`;
}
