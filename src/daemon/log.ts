import pino from 'pino';

export type Log = pino.Logger;

/**
 * The daemon's one log: NDJSON, a record for what happens to containers, the engine and requests that failed. Nothing per
 * packet, per flow or per DNS question: those are counted, and `unet daemon status` shows the counts. With UNET_DAEMON_FOREGROUND set, stderr gets it too.
 */
export function openLog(path: string, env: Readonly<NodeJS.ProcessEnv>): { log: Log; flush: () => void } {
  const destination = pino.destination({ dest: path, sync: true, mode: 0o600 });
  const terminal = env['UNET_DAEMON_FOREGROUND'] ? [{ stream: pino.destination({ fd: 2, sync: true }) }] : [];
  const log = pino(
    {
      level: env['UNET_LOG_LEVEL'] || 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['env', '*.env', 'ticket', '*.ticket'], remove: true },
    },
    pino.multistream([{ stream: destination }, ...terminal]),
  );
  return { log, flush: () => destination.flushSync() };
}
