import { release } from 'node:os';

/** Whether the kernel that the tests run on is at least this one. */
export function since(major: number, minor: number): boolean {
  const [ours = 0, its = 0] = release().split('.').map(Number);
  return ours > major || (ours === major && its >= minor);
}

/**
 * Before Linux 6.11 the kernel cuts a UDP_SEGMENT send only for devices that complete checksums, and says EIO for others: a guest with
 * `--offload off` is told so, as one behind any such card.
 */
export const SEGMENTS_WITHOUT_OFFLOAD = since(6, 11);
