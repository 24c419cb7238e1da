import type { ContainerFaults } from '../api/types.js';
import { UnetError } from '../model/errors.js';
import { type FaultChange, type Faults, NO_FAULTS } from '../model/fault-spec.js';
import type { Container } from './container.js';
import type { House } from './house.js';

/**
 * Bad links of running containers. What stands is in their records, so that the next engine and the next daemon make the same links;
 * of a pair each record holds the direction away from it. With a container its bad links end.
 */
export function faultsOf({ registry }: House, container: Container): ContainerFaults {
  requireLive(container);
  const others = registry.all().filter((other) => other.live && other !== container);
  const between = others.map((other) => ({ name: other.name, ...pair(container, other) }));
  return {
    ...(container.record.faults ?? NO_FAULTS),
    between: between.filter(({ egress, ingress }) => egress || ingress),
  };
}

/** @throws UnetError CONFLICT when it does not run, UNAVAILABLE */
export function changeFaults(house: House, container: Container, change: FaultChange): Promise<Faults> {
  return container.serially(async () => {
    requireLive(container);
    const { record } = container;
    const faults = { ...(record.faults ?? NO_FAULTS), ...change };
    house.engine.stack.setFaults(container.id, faults);
    record.faults = faults.egress || faults.ingress ? faults : null;
    await house.state.save(record);
    return faults;
  });
}

/** @throws UnetError CONFLICT when one of them does not run, or they are one */
export function faultsBetween(from: Container, to: Container): Faults {
  requirePair(from, to);
  return pair(from, to);
}

/** @throws UnetError CONFLICT when one of them does not run, or they are one; UNAVAILABLE */
export function changeFaultsBetween(
  house: House,
  from: Container,
  to: Container,
  change: FaultChange,
): Promise<Faults> {
  // In the order of the ids, so that two changes of one pair cannot wait for one another.
  const [first, second] = from.id < to.id ? [from, to] : [to, from];
  const work = async () => {
    requirePair(from, to);
    const faults = { ...pair(from, to), ...change };
    house.engine.stack.setFaultsBetween(from.id, to.id, faults);
    keep(from, to, faults.egress);
    keep(to, from, faults.ingress);
    await Promise.all([house.state.save(from.record), house.state.save(to.record)]);
    return faults;
  };
  requirePair(from, to);
  return first.serially(() => second.serially(work));
}

/** Tells a new engine about links between containers that it knows; their own went with their endpoints. */
export function announceFaults({ engine, registry }: House): void {
  const live = registry.all().filter((container) => container.live);
  for (const [index, a] of live.entries()) {
    for (const b of live.slice(index + 1)) {
      const faults = pair(a, b);
      if (faults.egress || faults.ingress) engine.ifRunning((stack) => stack.setFaultsBetween(a.id, b.id, faults));
    }
  }
}

function pair(from: Container, to: Container): Faults {
  return { egress: from.record.faultsTo[to.id] ?? null, ingress: to.record.faultsTo[from.id] ?? null };
}

function keep({ record }: Container, { id }: Container, spec: Faults['egress']): void {
  if (spec) record.faultsTo[id] = spec;
  else delete record.faultsTo[id];
}

function requirePair(a: Container, b: Container): void {
  if (a === b) throw new UnetError('CONFLICT', `"${a.name}" is one container; name two for the way between them`);
  requireLive(a);
  requireLive(b);
}

function requireLive(container: Container): void {
  if (container.live) return;
  throw new UnetError(
    'CONFLICT',
    `container "${container.name}" does not run any more; only the network of a running one can be made bad`,
  );
}
