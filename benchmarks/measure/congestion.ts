import { readFileSync } from 'node:fs';
import { pickOne, type Series } from './rounds.js';
import { judgeRatio, type Verdict } from './verdict.js';

/**
 * The machine's default congestion control, where it matters for figures.
 *
 * One that paces (BBR) sends by a timer, over memory too: loopback and veth then stay at half of what the kernel can do, while
 * unet's guests do not pace (`native/launch/src/network.rs`). A ratio to such a ceiling says little, so what is compared with a
 * ceiling is measured once more with the same unpaced congestion control at both ends of both paths (iperf3's `-C`).
 */

const DEFAULT = '/proc/sys/net/ipv4/tcp_congestion_control';
/** The ones that send when there is something to send. */
const DO_NOT_PACE = ['cubic', 'reno'];

/** Allowed in every network namespace, whatever the machine's administrator says. */
export const UNPACED = 'reno';

/** Whether the machine's own connections are paced unless they ask for something else. */
export function hostPaces(): boolean {
  return !DO_NOT_PACE.includes(readFileSync(DEFAULT, 'utf8').trim());
}

/** How a variant is called that is measured without pacing. */
export function unpaced(variant: string): string {
  return `${variant}, ${UNPACED} at both ends`;
}

interface UnpacedAim {
  readonly id: string;
  /** As it is called where it is paced. */
  readonly variant: string;
  /** Behind the variant's name: `, MTU 65520`. */
  readonly suffix?: string;
  readonly mtu: number;
  readonly ceiling: { readonly path: string; readonly mtu: number | null };
  readonly atLeast: number;
  readonly unit: string;
}

/** A target of throughput once more, beside a ceiling that is not held back; nothing where the machine paces nothing. */
export function judgeUnpaced(
  series: readonly Series[],
  { id, variant, suffix = '', mtu, ceiling, atLeast, unit }: UnpacedAim,
): Verdict[] {
  const what = unpaced(variant);
  const kernel = pickOne(series, { ...ceiling, variant: what });
  if (kernel === null) return [];
  const ours = pickOne(series, { path: 'unet', mtu, variant: what });
  return [judgeRatio({ id, what: `${what}${suffix}`, atLeast, unit }, ours, kernel, 'gbps')];
}
