import type { Command } from 'commander';
import type { LogRecord } from '../../api/index.js';
import { type Context, connectOrStart } from '../context.js';
import { writeErr, writeOut } from '../output.js';

interface LogsOptions {
  readonly follow?: true;
  readonly timestamps?: true;
  readonly tail: string;
}

export function addLogs(program: Command, context: Context): Command {
  return program
    .command('logs')
    .description('Show what a detached container has printed')
    .usage('[OPTIONS] CONTAINER')
    .argument('<container>', 'name or id')
    .option('-f, --follow', 'go on until the container ends')
    .option('-t, --timestamps', 'put the time in front of each line')
    .option('-n, --tail <lines>', 'only the last lines', 'all')
    .action((ref: string, options: LogsOptions) => logs(ref, options, context));
}

async function logs(ref: string, { follow, timestamps, tail }: LogsOptions, context: Context): Promise<void> {
  const client = await connectOrStart(context);
  const records = client.logs(ref, {
    follow: follow ?? false,
    // As Docker: what is no number means all.
    ...(/^\d{1,9}$/.test(tail) ? { tail: Number(tail) } : {}),
  });
  for await (const record of records) {
    const write = record.stream === 'stderr' ? writeErr : writeOut;
    write(timestamps ? `${record.time} ` : '');
    write(dataOf(record));
  }
}

function dataOf({ data, b64 }: LogRecord): string | Uint8Array {
  return b64 ? Buffer.from(data, 'base64') : data;
}
