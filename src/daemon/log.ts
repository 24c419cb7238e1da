import pino from 'pino';

export type Log = pino.Logger;

/**
 * The daemon's one log: NDJSON, a record for what happens to containers, the engine and requests that failed. Nothing per
 * packet, per flow or per DNS question: those are counted, and `unet daemon status` shows the counts.
 */
export function openLog(path: string, env: Readonly<NodeJS.ProcessEnv>): { log: Log; flush: () => void } {
  const destination = pino.destination({ dest: path, sync: true, mode: 0o600 });
  const log = pino(
    {
      level: env['UNET_LOG_LEVEL'] || 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['env', '*.env', 'ticket', '*.ticket'], remove: true },
    },
    destination,
  );
  return { log, flush: () => destination.flushSync() };
}
