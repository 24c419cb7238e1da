import type { Command } from 'commander';
import type { ContainerSummary } from '../../api/index.js';
import { shortId } from '../../model/container-id.js';
import { type Context, connectOrStart } from '../context.js';
import { writeLine, writeOut } from '../output.js';
import { CONTAINER_HEADER, containerRow } from '../render/container-row.js';
import { renderTable } from '../render/table.js';
import { wholeNumber } from '../values.js';

interface PsOptions {
  readonly all?: true;
  readonly quiet?: true;
  readonly latest?: true;
  readonly last?: string;
  readonly trunc: boolean;
}

const MAX_LAST = 1_000_000;

export function addPs(program: Command, context: Context): Command {
  return program
    .command('ps')
    .description('List containers')
    .usage('[OPTIONS]')
    .option('-a, --all', 'also those that have ended (default: only running ones)')
    .option('-q, --quiet', 'only ids')
    .option('-l, --latest', 'only the one that was created last, in any state')
    .option('-n, --last <count>', 'only the last that were created, in any state')
    .option('--no-trunc', 'do not shorten ids and commands')
    .action((options: PsOptions) => ps(options, context));
}

async function ps(options: PsOptions, context: Context): Promise<void> {
  const last = options.latest ? 1 : options.last === undefined ? null : wholeNumber('--last', options.last, MAX_LAST);
  const client = await connectOrStart(context);
  const containers = await client.list(options.all === true || last !== null);
  const shown = last === null ? containers : containers.slice(0, last);
  if (options.quiet) for (const container of shown) writeLine(idCell(container, options.trunc));
  else
    writeOut(
      renderTable(
        CONTAINER_HEADER,
        shown.map((container) => containerRow(container, Date.now(), options.trunc)),
      ),
    );
}

function idCell({ id }: ContainerSummary, truncate: boolean): string {
  return truncate ? shortId(id) : id;
}
