/**
 * How much longer than usual the tests wait: 1, unless UNET_TEST_PATIENCE says otherwise. An emulated machine (npm run test:kernels) is
 * some twenty times slower than a real one, and what is tested there is what happens, not how fast.
 */
export const PATIENCE = Math.max(1, Number(process.env['UNET_TEST_PATIENCE'] ?? 1) || 1);
/** Amounts stay divisible among streams and into blocks. */
const GRAIN = 64;

/** A limit in time, for the machine we are on. */
export function patient(milliseconds: number): number {
  return milliseconds * PATIENCE;
}

/** An amount of work, for the machine we are on. */
export function share(amount: number): number {
  return PATIENCE === 1 ? amount : Math.ceil(amount / PATIENCE / GRAIN) * GRAIN;
}
