import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const CLI = fileURLToPath(new URL('../../dist/unet.cjs', import.meta.url));

function run(program: string, ...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}` };
  return new Promise((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
}

/** Node 20 looks for its own --env-file in the words after the script as well, unless a `--` stands before. */
describe.skipIf(!existsSync(CLI))('the built command, run by its first line', () => {
  it('keeps --env-file for itself', async () => {
    const { code, stdout, stderr } = await run(CLI, 'run', '--env-file', 'nope', '--', 'true');
    expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
    expect(stderr).toMatch(/^unet: cannot read the env file: [^\n]*nope[^\n]*\n$/);
  });

  it('works through a symbolic link, as npm link makes it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'unet-link-'));
    symlinkSync(CLI, join(directory, 'unet'));
    expect(await run(join(directory, 'unet'), '--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^unet \d/),
    });
    rmSync(directory, { recursive: true });
  });

  it('works as the argument of node', async () => {
    expect(await run(process.execPath, CLI, '--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^unet \d/),
    });
  });
});
