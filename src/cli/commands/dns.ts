import type { Command } from 'commander';
import { type Context, connectOrStart } from '../context.js';
import { writeLine, writeOut } from '../output.js';
import { renderContainerDns, renderExplanation, renderNetworkDns } from '../render/dns.js';

const HELP_AFTER = `
With a CONTAINER: the names that it can resolve, why, and to what; its search domains; whom its other questions go to.
Without one: the names of the network, and whom the host asks.

Examples:
  unet dns web
  unet dns query web db
  unet dns query web example.com AAAA`;

const QUERY_HELP_AFTER = `
The question is asked in earnest, as the container would ask it: by the same rules, cache and servers. NAME stands as it is; a
container's resolver may put search domains behind it before it asks. TYPE is A (the default), AAAA, PTR, CNAME, MX, NS, SOA, SRV,
TXT, HTTPS, ANY, or TYPE and a number.`;

interface DnsOptions {
  readonly json?: true;
}

export function addDns(program: Command, context: Context): Command {
  const dns = program
    .command('dns')
    .description('Show what names a container can resolve, and who is asked for others')
    .usage('[OPTIONS] [CONTAINER]\n       unet dns query [OPTIONS] CONTAINER NAME [TYPE]')
    .argument('[container]', 'name or id')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP_AFTER)
    .action((ref: string | undefined, options: DnsOptions) => show(ref, options, context));
  dns
    .command('query')
    .description('Ask a question as a container would, and say how it is answered')
    .usage('[OPTIONS] CONTAINER NAME [TYPE]')
    .argument('<container>', 'name or id')
    .argument('<name>', 'the name to ask for')
    .argument('[type]', 'the type of record', 'A')
    .option('--json', 'as JSON')
    .addHelpText('after', QUERY_HELP_AFTER)
    .action((ref: string, name: string, type: string, options: DnsOptions) =>
      query(ref, { name, type }, options, context),
    );
  return dns;
}

async function show(ref: string | undefined, { json }: DnsOptions, context: Context): Promise<void> {
  const client = await connectOrStart(context);
  if (ref === undefined) {
    const network = await client.networkDns();
    if (json) writeLine(JSON.stringify(network));
    else writeOut(renderNetworkDns(network));
    return;
  }
  const container = await client.containerDns(ref);
  if (json) writeLine(JSON.stringify(container));
  else writeOut(renderContainerDns(container));
}

async function query(
  ref: string,
  question: { name: string; type: string },
  { json }: DnsOptions,
  context: Context,
): Promise<void> {
  const client = await connectOrStart(context);
  const explanation = await client.explainDns(ref, question.name, question.type);
  if (json) writeLine(JSON.stringify(explanation));
  else writeOut(renderExplanation(ref, explanation));
}
