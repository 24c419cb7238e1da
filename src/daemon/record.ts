import * as v from 'valibot';
import { createContainerSchema, dnsSchema, faultSchema, faultsSchema } from '../api/schemas.js';
import { isContainerId } from '../model/container-id.js';
import { NO_DNS_LISTS } from '../model/dns-choice.js';

/**
 * What the daemon keeps of a container, in memory and in `container.json`. A new daemon reads it after a crash, so every
 * change that the outside can see is written before it is acted on.
 */
export const recordSchema = v.strictObject({
  version: v.literal(1),
  id: v.pipe(v.string(), v.check(isContainerId)),
  name: v.string(),
  createdAt: v.string(),
  request: createContainerSchema,
  hostname: v.string(),
  ticket: v.string(),
  /**
   * made: it has its name and its links, and waits for a start. created: the ticket is out. starting: its launcher came, and "go" may have been said. running: the command was
   * started. exited: it ended, everything but this record, the log and the name is given back.
   */
  phase: v.picklist(['made', 'created', 'starting', 'running', 'exited']),
  /** While it is on its way up: what it was, and will be again if it does not get there; null: nothing, it is new. */
  before: v.optional(
    v.nullable(
      v.strictObject({
        phase: v.picklist(['made', 'exited']),
        startedAt: v.nullable(v.string()),
        finishedAt: v.nullable(v.string()),
        exitCode: v.nullable(v.number()),
      }),
    ),
    null,
  ),
  network: v.strictObject({ name: v.string(), subnet: v.string(), mtu: v.number() }),
  lease: v.nullable(v.strictObject({ address: v.string(), mac: v.string() })),
  /** Search domains of its resolv.conf. */
  search: v.array(v.string()),
  /** Options there, but for the `ndots:0` that is added. */
  options: v.optional(v.array(v.string()), []),
  /** The daemon's DNS lists at its last start: a later daemon may have others. */
  dnsDefaults: v.optional(dnsSchema, NO_DNS_LISTS),
  published: v.array(
    v.strictObject({
      hostAddress: v.string(),
      hostPort: v.number(),
      containerPort: v.number(),
      protocol: v.picklist(['tcp', 'udp']),
    }),
  ),
  /** What its link does now; `request.faults` is what it began with. */
  faults: v.optional(v.nullable(faultsSchema), null),
  /** What happens to frames from it to others, by their ids. */
  faultsTo: v.optional(v.record(v.string(), faultSchema), {}),
  /** Its links to others, by their ids: who is made anew under an old name is somebody else. */
  links: v.optional(
    v.array(v.strictObject({ child: v.pipe(v.string(), v.check(isContainerId)), alias: v.string() })),
    [],
  ),
  device: v.nullable(v.string()),
  supervisor: v.nullable(v.strictObject({ pid: v.number(), startTime: v.string() })),
  pid: v.nullable(v.number()),
  startedAt: v.nullable(v.string()),
  finishedAt: v.nullable(v.string()),
  exitCode: v.nullable(v.number()),
});
export type ContainerRecord = v.InferOutput<typeof recordSchema>;
