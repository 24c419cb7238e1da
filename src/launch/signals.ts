/** Signals that whoever sends them to the CLI means for the command. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * Passes signals on to the launcher until the returned function is called. A Ctrl-C at the terminal reaches the launcher
 * twice, from the terminal and from here; it tells the two apart (by who sent it, and when) and drops ours.
 */
export function forwardSignals(kill: (signal: NodeJS.Signals) => void): () => void {
  const handler = (signal: NodeJS.Signals) => kill(signal);
  for (const signal of FORWARDED) process.on(signal, handler);
  return () => {
    for (const signal of FORWARDED) process.off(signal, handler);
  };
}
