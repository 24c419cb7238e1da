import { connRate } from './conn-rate.js';
import { dns } from './dns.js';
import { guestToGuest } from './guest-to-guest.js';
import { manyFlows } from './many-flows.js';
import { published } from './published.js';
import type { Scenario } from './scenario.js';
import { startup } from './startup.js';
import { syscalls } from './syscalls.js';
import { tcpBulk } from './tcp-bulk.js';
import { tcpDelay } from './tcp-delay.js';
import { tcpRr } from './tcp-rr.js';
import { udpPps } from './udp-pps.js';

/**
 * Every scenario, in the order in which they run: a new one is a file beside this one and a line here.
 *
 * A whole run shall fit into 25 minutes and a quick one into about a minute (`--plan` adds up the estimates). Of these, tcp-bulk, published,
 * guest-to-guest, tcp-delay and syscalls take 17 with peers installed; tcp-rr, conn-rate, udp-pps, many-flows, startup and dns share 9.
 */
export const SCENARIOS: readonly Scenario[] = [
  tcpBulk,
  published,
  guestToGuest,
  tcpDelay,
  tcpRr,
  connRate,
  udpPps,
  manyFlows,
  startup,
  dns,
  syscalls,
];
