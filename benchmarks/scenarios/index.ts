import type { Scenario } from './scenario.js';
import { tcpBulk } from './tcp-bulk.js';

/** Every scenario, in the order in which they run: a new one is a file beside this one and a line here. */
export const SCENARIOS: readonly Scenario[] = [tcpBulk];
