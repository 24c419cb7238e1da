import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from '../harness/e2e.js';

/**
 * netem, the kernel's own bad link: a witness that shares no line with ours. It stands on a device's way out, so each direction of a
 * guest's wire has its own: eth0 itself for what the guest sends, and an ifb device, to which eth0's arrivals are turned aside.
 */

/** A container that waits for a word before its command starts, so that the wire can be prepared. */
export class Prepared {
  static #made = 0;
  readonly #go: string;

  private constructor(
    readonly name: string,
    /** A process of the guest, as the world counts. */
    readonly pid: number,
    go: string,
  ) {
    this.#go = go;
  }

  static async start({ world, unet }: Stage, name: string, script: string, options: string[] = []): Promise<Prepared> {
    Prepared.#made += 1;
    // Never twice the same: the word to an earlier one of this name still lies there.
    const go = join(world.directory, 'tmp', `go-${name}-${Prepared.#made}`);
    const command = `while [ ! -e ${go} ]; do sleep 0.1; done; ${script}; echo finished $?`;
    await unet.detached(['--name', name, ...options], ['sh', '-c', command]);
    const process = world.processes().find((one) => one.command.startsWith(`sh -c while [ ! -e ${go} ]`));
    if (process === undefined) throw new Error(`no process of ${name} is to be seen`);
    return new Prepared(name, process.pid, go);
  }

  go(): void {
    writeFileSync(this.#go, '');
  }
}

/** Makes both directions of a guest's wire bad, each by the same words. */
export async function netemOnGuest({ world }: Stage, { pid }: Prepared, words: string): Promise<void> {
  const tc = `nsenter --net=/proc/${pid}/ns/net`;
  await world.admin(`set -e
${tc} ip link add ifb0 type ifb
${tc} ip link set ifb0 txqueuelen 1000 up
${tc} tc qdisc add dev eth0 handle ffff: ingress
${tc} tc filter add dev eth0 parent ffff: matchall action mirred egress redirect dev ifb0
${tc} tc qdisc add dev eth0 root netem limit 10000 ${words}
${tc} tc qdisc add dev ifb0 root netem limit 10000 ${words}`);
}

/** What netem itself counted on a guest's two directions: proof that it was there. */
export async function netemCounters({ world }: Stage, { pid }: Prepared): Promise<string> {
  const tc = `nsenter --net=/proc/${pid}/ns/net tc -s qdisc show dev`;
  return world.admin(`${tc} eth0; ${tc} ifb0`);
}

/** The road between the host and the server, both directions; no words: a good one again. */
export async function netemOnRoad({ world }: Stage, words: string | null): Promise<void> {
  for (const device of ['to-host', 'to-server']) {
    await world.admin(`ip netns exec router tc qdisc del dev ${device} root 2>/dev/null || true`);
    if (words !== null)
      await world.admin(`ip netns exec router tc qdisc add dev ${device} root netem limit 10000 ${words}`);
  }
}
