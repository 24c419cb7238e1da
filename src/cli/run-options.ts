import type { Command } from 'commander';
import type { CreateContainer } from '../api/types.js';
import { usageError } from '../model/errors.js';
import type { Context } from './context.js';
import { addLinkOptions, type LinkOptions, readLinkOptions } from './options/links.js';
import { addNameOptions, type NameOptions, readNameOptions } from './options/names.js';
import { addNetworkOptions, type NetworkOptions, readNetworkOptions } from './options/network.js';
import { addPortOptions, type PortOptions, readPortOptions } from './options/ports.js';
import { addProcessOptions, type ProcessOptions, readProcessOptions } from './options/process.js';
import { asUsage } from './values.js';

/** The options of `run` and `create` as commander hands them over. */
export interface RunOptions extends ProcessOptions, NetworkOptions, PortOptions, NameOptions, LinkOptions {
  readonly detach?: true;
}

/** All options of a container that is about to be made, in groups. `-d` is the verb's own. */
export function addRunOptions(command: Command): Command {
  addProcessOptions(command.optionsGroup('Command:'));
  addNetworkOptions(command.optionsGroup('Network:'));
  addPortOptions(command.optionsGroup('Ports:'));
  addNameOptions(command.optionsGroup('Names:'));
  addLinkOptions(command.optionsGroup('Links:'));
  return command;
}

/**
 * Turns the command line into a request. Nothing is started yet: whatever is wrong is a usage error.
 *
 * @throws UnetError USAGE
 */
export function readRunOptions(options: RunOptions, argv: readonly string[], context: Context): CreateContainer {
  const [program] = argv;
  if (program === undefined || program === '') {
    throw usageError("no command given: unet run [OPTIONS] -- COMMAND [ARG...] (see 'unet run --help')");
  }
  return asUsage(() => ({
    argv: [...argv],
    detach: options.detach ?? false,
    ...readProcessOptions(options, context),
    ...readLinkOptions(options, options.network),
    ...readNetworkOptions(options),
    ...readPortOptions(options),
    ...readNameOptions(options),
  }));
}
