import type { Command } from 'commander';
import { messageOf, UnetError, usageError } from '../../model/errors.js';
import { type Context, connectOrStart } from '../context.js';
import { type Inspector, jsonInspector, pathInspector, templateInspector } from '../inspect/inspectors.js';
import { complain, writeOut } from '../output.js';
import { TemplateError, templateErrorText } from '../template/index.js';

/** Docker's status for a template that cannot be read. */
const EXIT_BAD_TEMPLATE = 64;

const HELP_AFTER = `
Without a format it is a JSON array. TEMPLATE is a Go template as Docker takes it: fields, index, range, if, with, len,
eq, ne, lt, le, gt, ge, and, or, not, printf, json, join, split, title, lower, upper, pad, truncate, variables and pipes.
PATH is keys with dots between them; a number is a place in a list.

Examples:
  unet inspect -f '{{.Name}} {{.State.Pid}}' web
  unet inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web db
  unet inspect -f '{{json .NetworkSettings.Ports}}' web
  unet inspect --get NetworkSettings.IPAddress web
  unet inspect web/db        what web calls db by its link`;

interface InspectOptions {
  readonly format?: string;
  readonly get?: string;
}

export function addInspect(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('inspect')
    .description('Show everything about containers')
    .usage('[OPTIONS] CONTAINER...')
    .argument('<container...>', 'names, ids or link names')
    .option('-f, --format <template>', "a line for each by a Go template; 'json': an array on one line")
    .option('--get <path>', 'only what stands at this path, a line for each')
    .addHelpText('after', HELP_AFTER)
    .action(async (refs: string[], options: InspectOptions) => done(await inspect(refs, options, context)));
}

async function inspect(refs: readonly string[], options: InspectOptions, context: Context): Promise<number> {
  const inspector = readInspector(options);
  if (inspector instanceof TemplateError) {
    complain(templateErrorText(inspector));
    return EXIT_BAD_TEMPLATE;
  }
  const client = await connectOrStart(context);
  const results = await Promise.allSettled(refs.map((ref) => client.document(ref)));
  const problems: string[] = [];
  for (const [index, result] of results.entries()) {
    try {
      if (result.status === 'rejected') throw missing(result.reason, refs[index] ?? '');
      inspector.add(result.value);
    } catch (error) {
      problems.push(error instanceof TemplateError ? templateErrorText(error) : messageOf(error));
    }
  }
  // What was found first, then what was not.
  writeOut(inspector.text());
  for (const problem of problems) complain(problem);
  return problems.length > 0 ? 1 : 0;
}

/** A template that cannot be read is said before anything is started. @throws UnetError USAGE */
function readInspector({ format = '', get }: InspectOptions): Inspector | TemplateError {
  if (get !== undefined && format !== '') throw usageError('--get and --format exclude each other: give one');
  if (get === '') throw usageError("no path given: --get needs keys, as in '--get NetworkSettings.IPAddress'");
  if (get !== undefined) return pathInspector(get);
  if (format === '') return jsonInspector();
  if (format === 'json') return jsonInspector(0);
  try {
    return templateInspector(format);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
}

/** In the words of Docker's inspect. */
function missing(error: unknown, ref: string): unknown {
  if (!(error instanceof UnetError && error.code === 'NOT_FOUND')) return error;
  return new UnetError('NOT_FOUND', `error: no such object: ${ref}`);
}
