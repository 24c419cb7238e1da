import { randomBytes } from 'node:crypto';
import type { CreatedContainer, StartedContainer } from '../api/types.js';
import { renderHostname } from '../files/index.js';
import { messageOf, UnetError } from '../model/errors.js';
import type { Container } from './container.js';
import { adoptDns, dnsWarnings, resolvConfOf } from './container-dns.js';
import type { Ending } from './ending.js';
import type { House } from './house.js';
import { endpointSpec, launchPart } from './launch-part.js';
import type { LinksAtStart } from './links/index.js';
import type { ContainerRecord } from './record.js';
import type { EtcFile } from './state-store.js';

/** A launcher needs some tens of milliseconds; one that has not come by now will not. */
const TICKET_MILLISECONDS = 15_000;
const TICKET_BYTES = 32;

export interface Start {
  /** To the background, with a log. */
  readonly detach: boolean;
  /** It is just being made: what fails leaves nothing of it. */
  readonly isNew: boolean;
  /** Aborted when the connection of whoever asked has ended. */
  readonly creator: AbortSignal;
}

/**
 * Starts one that was made or has ended. One that is on its way up or down is waited for; one that runs stays as it is.
 *
 * @throws UnetError CONFLICT (links, being removed), NOT_FOUND, UNAVAILABLE
 */
export async function startContainer(
  house: House,
  ending: Ending,
  container: Container,
  { detach, creator }: Omit<Start, 'isNew'>,
): Promise<StartedContainer> {
  const { id, name, record } = container;
  if (!(await untilStartable(container, creator))) {
    return { id, name, launch: null, linkEnv: {}, warnings: [], env: {}, cleanEnv: false };
  }
  const started = await bringUp(house, ending, container, { detach, isNew: false, creator });
  return { ...started, env: record.request.env, cleanEnv: record.request.cleanEnv };
}

/**
 * Takes an address and a ticket, writes the /etc files and announces the endpoint. What follows (the launcher, the ports, "go") is
 * driven by the engine's events. Until the command runs, whatever goes wrong ends in `Ending.undo`.
 *
 * @throws UnetError
 */
export async function bringUp(
  house: House,
  ending: Ending,
  container: Container,
  { detach, isNew, creator }: Start,
): Promise<CreatedContainer> {
  const { record } = container;
  let links: LinksAtStart;
  try {
    begin(house, container, isNew);
  } catch (error) {
    if (isNew) await ending.forget(container);
    throw error;
  }
  const { ticket } = record;
  const { signal } = container.up;
  giveUpWith(creator, ending, container);
  try {
    links = await house.links.prepare(container, signal);
    requireSame(container, ticket);
    await house.state.prepare(record, renderEtc(house, record), detach);
    requireSame(container, ticket);
    house.engine.stack.expectEndpoint(endpointSpec(record));
  } catch (error) {
    if (isOfThisStart(container, ticket)) {
      // A link's target is down: whoever asked starts it, and then this one.
      if (isNew && isConflict(error) && !record.request.autoRemove) record.before = MADE;
      await ending.undo(container, messageOf(error));
    }
    throw error;
  }
  limitTicket(ending, container);
  house.log.info(
    { container: container.id, name: container.name, address: record.lease?.address },
    'container announced',
  );
  return {
    id: container.id,
    name: container.name,
    launch: launchPart(house, record, detach),
    linkEnv: links.env,
    warnings: [...dnsWarnings(record), ...links.warnings],
  };
}

const MADE: NonNullable<ContainerRecord['before']> = {
  phase: 'made',
  startedAt: null,
  finishedAt: null,
  exitCode: null,
};

/** True: nothing of it is up, and whoever calls has it now. False: it runs. */
async function untilStartable(container: Container, creator: AbortSignal): Promise<boolean> {
  const isUp = () => container.running && container.stops === 0;
  const isDecided = () => container.removed || container.removing || container.ended || isUp();
  while (!isDecided()) {
    const held = await container.waitFor(isDecided, { signal: creator });
    if (!held) throw new UnetError('UNAVAILABLE', `container "${container.name}" was not started: nobody waits for it`);
  }
  if (container.removed) throw new UnetError('NOT_FOUND', `No such container: ${container.name}`);
  if (container.removing) {
    throw new UnetError('CONFLICT', 'container is marked for removal and cannot be started');
  }
  return !isUp();
}

/** In one go, so that nobody else can begin, too. */
function begin({ engine, network, idle }: House, container: Container, isNew: boolean): void {
  engine.stack;
  const { record } = container;
  const { phase, startedAt, finishedAt, exitCode } = record;
  record.lease = network.pool.lease();
  container.settled = false;
  container.up = new AbortController();
  container.releaseIdle = idle.hold();
  record.before = isNew || (phase !== 'made' && phase !== 'exited') ? null : { phase, startedAt, finishedAt, exitCode };
  record.phase = 'created';
  record.ticket = randomBytes(TICKET_BYTES).toString('hex');
  record.network.subnet = network.subnet;
  record.faults = record.request.faults;
  record.startedAt = null;
  record.finishedAt = null;
  record.exitCode = null;
}

function renderEtc(house: House, record: ContainerRecord): Record<EtcFile, string> {
  const host = house.hostResolvConf();
  adoptDns(house, record);
  return {
    hosts: house.links.hosts(record),
    hostname: renderHostname(record.hostname),
    'resolv.conf': resolvConfOf(house, record, host),
  };
}

function giveUpWith(creator: AbortSignal, ending: Ending, container: Container): void {
  const onGone = () => giveUp(ending, container, 'whoever asked for it has gone');
  container.forgetCreator = () => creator.removeEventListener('abort', onGone);
  creator.addEventListener('abort', onGone);
  if (creator.aborted) onGone();
}

function limitTicket(ending: Ending, container: Container): void {
  container.timer = setTimeout(
    () => giveUp(ending, container, 'its launcher did not come in time'),
    TICKET_MILLISECONDS,
  );
}

function giveUp(ending: Ending, container: Container, reason: string): void {
  if (container.record.phase === 'created') void ending.undo(container, reason);
}

/** The ticket names a start: it may have been given up, and another one begun, while we waited. */
function isOfThisStart({ live, record }: Container, ticket: string): boolean {
  return live && record.ticket === ticket;
}

function requireSame(container: Container, ticket: string): void {
  if (isOfThisStart(container, ticket)) return;
  throw new UnetError('CONFLICT', `container "${container.name}" was stopped before it started`);
}

function isConflict(error: unknown): boolean {
  return error instanceof UnetError && error.code === 'CONFLICT';
}
