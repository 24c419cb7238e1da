import type { Command } from 'commander';
import { type Finding, findLauncher, runDoctor } from '../../launch/index.js';
import { messageOf } from '../../model/errors.js';
import { type Context, connectIfRunning } from '../context.js';
import { writeLine, writeOut } from '../output.js';
import { renderFacts } from '../render/facts.js';
import { renderFindings, verdict } from '../render/findings.js';
import { daemonLines } from './daemon.js';

export function addDoctor(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('doctor')
    .description('Check what this machine lets unet do, and say how to mend what is missing')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: true }) => done(await doctor(context, json ?? false)));
}

/** Exit status 1 when no container can be started here. */
async function doctor(context: Context, json: boolean): Promise<number> {
  const { finding, info } = await askDaemon(context);
  const findings = [...(await runDoctor(findLauncher(context.env))), finding];
  if (json) {
    writeLine(JSON.stringify({ findings, daemon: info }));
  } else {
    writeOut(renderFindings(findings));
    if (info) writeOut(`\nDaemon\n${renderFacts(daemonLines(info))}`);
    writeLine(`\n${verdict(findings)}`);
  }
  return findings.some(({ grade }) => grade === 'fail') ? 1 : 0;
}

/** A daemon that cannot be asked is a finding, not the end of the examination. */
async function askDaemon(context: Context) {
  const finding = (grade: Finding['grade'], detail: string): Finding => {
    return { id: 'daemon', title: 'Daemon', grade, detail, fix: null };
  };
  try {
    const client = await connectIfRunning(context);
    const info = client && (await client.daemon());
    const detail = info ? `runs as process ${info.pid}` : 'not running; it is started when needed';
    return { info, finding: finding('ok', detail) };
  } catch (error) {
    return { info: null, finding: finding('fail', messageOf(error)) };
  }
}
