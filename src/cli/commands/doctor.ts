import type { Command } from 'commander';
import { findLauncher, runDoctor } from '../../launch/index.js';
import { type Context, connectIfRunning } from '../context.js';
import { writeLine, writeOut } from '../output.js';
import { renderFacts } from '../render/facts.js';
import { daemonLines } from './daemon.js';

export function addDoctor(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('doctor')
    .description('Check what this machine lets unet do')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: true }) => done(await doctor(context, json ?? false)));
}

async function doctor(context: Context, json: boolean): Promise<number> {
  const findings = await runDoctor(findLauncher(context.env));
  const client = await connectIfRunning(context);
  const daemon = client && (await client.daemon());
  if (json) {
    writeLine(JSON.stringify({ launcher: findings, daemon }));
    return 0;
  }
  writeOut(JSON.stringify(findings, null, 2));
  writeOut(renderFacts(daemon ? daemonLines(daemon) : [['Daemon', 'not running; it is started when needed']]));
  return 0;
}
