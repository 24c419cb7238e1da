import { readFileSync } from 'node:fs';

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
