import { release } from 'node:os';

const [major = 0, minor = 0] = release().split('.').map(Number);

/**
 * Before Linux 6.11 the kernel cuts a UDP_SEGMENT send only for devices that complete checksums, and says EIO for others: a guest with
 * `--offload off` is told so, as one behind any such card.
 */
export const SEGMENTS_WITHOUT_OFFLOAD = major > 6 || (major === 6 && minor >= 11);
