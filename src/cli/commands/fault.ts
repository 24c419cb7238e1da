import type { Command } from 'commander';
import type { Client } from '../../api/index.js';
import { usageError } from '../../model/errors.js';
import { FAULT_FORM, type Faults, formatFault, parseFaults } from '../../model/fault-spec.js';
import { type Context, connectOrStart } from '../context.js';
import { writeLine, writeOut } from '../output.js';
import { renderFacts } from '../render/facts.js';

const HELP_AFTER = `
SPEC is ${FAULT_FORM}
  delay=50ms       one way, up to 60s; jitter=5ms is plus or minus around it and keeps the order
  rate=10mbit      bits of Ethernet frames a second: bit, kbit, mbit, gbit (powers of ten)
  loss=1%          share of packets; so are reorder=1% and duplicate=0.1%
  partition, none  nothing comes through; everything does again
A SPEC without a prefix is for both directions; egress: is from the container (with --between from the first to the second),
ingress: towards it. It replaces what stood there. Without any SPEC, what stands is printed. It ends with the container.

Examples:
  unet fault web delay=50ms,jitter=5ms,loss=1%
  unet fault web egress:rate=1mbit ingress:rate=10mbit
  unet fault --between web db partition
  unet fault web none`;

interface FaultOptions {
  readonly between?: true;
  readonly json?: true;
}

export function addFault(program: Command, context: Context): Command {
  return program
    .command('fault')
    .description("Make a running container's network bad: late, lossy, slow or cut")
    .usage('[OPTIONS] CONTAINER [SPEC...]\n       unet fault --between CONTAINER CONTAINER [SPEC...]')
    .argument('[words...]', 'containers by name or id, then what to do to their frames')
    .option('--between', 'only frames between two containers')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP_AFTER)
    .action((words: string[], options: FaultOptions) => fault(words, options, context));
}

async function fault(words: readonly string[], options: FaultOptions, context: Context): Promise<void> {
  const [first, second] = words;
  if (first === undefined)
    throw usageError("no container given: unet fault CONTAINER [SPEC...] (see 'unet fault --help')");
  if (!options.between) return own(first, words.slice(1), options, await connecting(words.slice(1), context));
  if (second === undefined)
    throw usageError('two containers are needed: unet fault --between CONTAINER CONTAINER [SPEC...]');
  return between(first, second, words.slice(2), options, await connecting(words.slice(2), context));
}

/** What is wrong is said before anything is started. */
async function connecting(specs: readonly string[], context: Context): Promise<Client> {
  parseFaults(specs);
  return connectOrStart(context);
}

async function own(ref: string, specs: readonly string[], { json }: FaultOptions, client: Client): Promise<void> {
  if (specs.length > 0) {
    await client.setFaults(ref, parseFaults(specs));
    return;
  }
  const faults = await client.faults(ref);
  if (json) return writeLine(JSON.stringify(faults));
  const pairs = faults.between.flatMap(({ name, egress, ingress }) =>
    facts(`to ${name}`, `from ${name}`, { egress, ingress }),
  );
  writeOut(renderFacts([...facts('Egress', 'Ingress', faults), ...pairs]));
}

async function between(
  a: string,
  b: string,
  specs: readonly string[],
  { json }: FaultOptions,
  client: Client,
): Promise<void> {
  if (specs.length > 0) {
    await client.setFaultsBetween(a, b, parseFaults(specs));
    return;
  }
  const faults = await client.faultsBetween(a, b);
  if (json) writeLine(JSON.stringify(faults));
  else writeOut(renderFacts(facts(`${a} to ${b}`, `${b} to ${a}`, faults)));
}

function facts(there: string, back: string, { egress, ingress }: Faults): [string, string][] {
  return [
    [there, formatFault(egress)],
    [back, formatFault(ingress)],
  ];
}
