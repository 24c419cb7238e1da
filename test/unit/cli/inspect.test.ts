import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/index.js';
import { DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { forgetPrinted, printed } from '../../fixtures/printed.js';

vi.mock('node:fs', async (original) => (await import('../../fixtures/printed.js')).keepingPrinted(await original()));

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
  forgetPrinted();
});
afterEach(() => world.stop());

/** What a shell would see. */
async function inspect(...argv: string[]) {
  const status = await main(['inspect', ...argv], { version: '1.2.3', cwd: () => '/', env: world.env });
  return { status, ...printed };
}

describe('unet inspect', () => {
  it('prints an array with four spaces of indentation', async () => {
    await world.run({ name: 'web' });
    const { status, out, err } = await inspect('web');
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/^\[\n {4}\{\n {8}"Id": "[0-9a-f]{64}",\n/);
    expect(out).toMatch(/\n {4}\}\n\]\n$/);
    expect(JSON.parse(out)).toMatchObject([{ Name: '/web' }]);
  });

  it('prints several in the order in which they were named, compactly with -f json', async () => {
    await world.run({ name: 'web' });
    await world.run({ name: 'db' });
    const { out } = await inspect('--format', 'json', 'web', 'db', 'web');
    expect(out).toMatch(/^\[\{"Id":.*\}\]\n$/);
    expect(JSON.parse(out).map(({ Name }: { Name: string }) => Name)).toEqual(['/web', '/db', '/web']);
  });

  it('S9: -f "{{ .Name }}" prints the name with its slash, for a prefix of the id, too', async () => {
    const { id } = await world.run({ name: 'web' });
    expect(await inspect('-f', '{{ .Name }}', id.slice(0, 12))).toEqual({ status: 0, out: '/web\n', err: '' });
  });

  it('prints a line for each with -f and --get', async () => {
    await world.run({ name: 'web' });
    await world.run({ name: 'db' });
    expect((await inspect('-f', '{{.State.Status}} {{.ID | len}}', 'web', 'db')).out).toBe('running 64\nrunning 64\n');
    forgetPrinted();
    expect((await inspect('--get', 'Name', 'web', 'db')).out).toBe('/web\n/db\n');
    forgetPrinted();
    expect((await inspect('--get', 'State.Running', 'web')).out).toBe('true\n');
  });

  it('names what there is not, after what there is', async () => {
    await world.run({ name: 'web' });
    const nothing = 'unet: error: no such object: foo\n';
    expect(await inspect('foo')).toEqual({ status: 1, out: '[]\n', err: nothing });
    forgetPrinted();
    expect(await inspect('-f', '{{.Name}}', 'foo')).toEqual({ status: 1, out: '\n', err: nothing });
    forgetPrinted();
    const both = await inspect('-f', '{{.Name}}', 'foo', 'web', 'bar');
    expect(both).toEqual({ status: 1, out: '/web\n', err: `${nothing}unet: error: no such object: bar\n` });
  });

  it('ends with 64 for a template that cannot be read, before it asks anybody', async () => {
    const { status, out, err } = await inspect('-f', '{{.Name', 'foo');
    expect({ status, out }).toEqual({ status: 64, out: '' });
    expect(err).toBe('unet: template parsing error: template: :1: unclosed action\n');
  });

  it('ends with 1 where the document does not have what the template asks for', async () => {
    await world.run({ name: 'web' });
    const { status, out, err } = await inspect('-f', '{{.NetworkSettings.IPAdress}}', 'web');
    expect({ status, out }).toEqual({ status: 1, out: '\n' });
    expect(err).toMatch(
      /^unet: template parsing error: template: :1:2: executing "" at <\.NetworkSettings\.IPA\.\.\.>: map has no entry for key "IPAdress"; did you mean "IPAddress"\?\n$/,
    );
  });

  it('says which key was probably meant', async () => {
    await world.run({ name: 'web' });
    expect(await inspect('--get', 'NetworkSetting.IPAddress', 'web')).toEqual({
      status: 1,
      out: '\n',
      err: 'unet: no such key: NetworkSetting; did you mean NetworkSettings?\n',
    });
  });

  it.each([
    [['-f', '{{.Name}}', '--get', 'Name', 'web'], '--get and --format exclude each other'],
    [['--get', '', 'web'], 'no path given'],
    [[], 'missing required argument'],
  ])('ends with 125 for a command line that cannot be meant: %j', async (argv, text) => {
    const { status, out, err } = await inspect(...argv);
    expect({ status, out }).toEqual({ status: 125, out: '' });
    expect(err).toContain(text);
  });
});
