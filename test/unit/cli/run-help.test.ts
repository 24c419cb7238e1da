import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addRunOptions, type RunOptions } from '../../../src/cli/run-options.js';

const command = () => addRunOptions(new Command('run').helpOption('--help', 'show this help'));

describe('addRunOptions', () => {
  it('shows the options in groups', () => {
    const help = command().helpInformation();
    const headings = help.split('\n').filter((line) => /^\S.*:$/.test(line));
    expect(headings).toEqual(['Command:', 'Network:', 'Ports:', 'Names:', 'Links:', 'Options:']);
    const names = help.slice(help.indexOf('Names:'), help.indexOf('Links:'));
    const options = [...names.matchAll(/^ {2}(\S+, )?(--\S+)/gm)].map(([, , long]) => long);
    expect(options).toEqual(['--hostname', '--network-alias', '--add-host', '--dns', '--dns-search', '--dns-option']);
  });

  it('takes both spellings of an option, each as often as it comes, and = before a value (S62)', () => {
    const argv = ['--dns-opt', 'a', '--dns-option=b', '--net-alias', 'c', '--network-alias', 'd', '--link=db:store'];
    const options = command().parse(argv, { from: 'user' }).opts<RunOptions>();
    expect(options).toMatchObject({ dnsOption: ['a', 'b'], networkAlias: ['c', 'd'], link: ['db:store'] });
    expect(options).toMatchObject({ network: 'bridge', linkEnv: 'modern', user: 'self', offload: 'on' });
  });
});
