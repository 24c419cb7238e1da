import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../../src/native/binding.js';
import { nativeCodeOf } from '../../../src/native/errors.js';
import { peerOf } from '../../../src/native/peer.js';
import { fakeNative } from '../../fixtures/fake-stack.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unet-native-'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('loadNative', () => {
  it.each([
    ['what is not there', null, /cannot load the network engine .*; build it with 'npm run build'/],
    ['what is no module', 'not JavaScript {', /does not fit this system or this Node/],
    ['another module', 'exports.Stack = class {}', /is not unet's network engine/],
  ])('refuses %s', (_, text, message) => {
    const path = join(root, 'addon.cjs');
    if (text !== null) writeFileSync(path, text);
    expect(() => loadNative({ UNET_NATIVE: path })).toThrow(
      expect.objectContaining({ code: 'DAEMON', message: expect.stringMatching(message) }),
    );
  });

  it('takes what exports everything', () => {
    const path = join(root, 'addon.cjs');
    writeFileSync(
      path,
      'module.exports = { Stack: class {}, lockFile() {}, overwriteUnopened() {}, peerIdentity() {} }',
    );
    expect(loadNative({ UNET_NATIVE: path }).lockFile('x')).toBeUndefined();
  });
});

describe('peerOf', () => {
  it('asks with the descriptor of the connection, and has no answer once it is gone', async () => {
    const path = join(root, 'socket');
    const asked: number[] = [];
    const native = {
      peerIdentity: (fd: number) => {
        asked.push(fd);
        return fakeNative().peerIdentity(fd);
      },
    };
    const accepted = new Promise<Socket>((resolve) => {
      const server = createServer(resolve).listen(path, () => connect(path).unref());
      server.unref();
    });
    const socket = await accepted;
    expect(peerOf(socket, native)).toMatchObject({ uid: process.geteuid?.() });
    expect(asked).toEqual([expect.any(Number)]);
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(peerOf(socket, native)).toBeNull();
    expect(asked).toHaveLength(1);
  });
});

describe('nativeCodeOf', () => {
  it.each([
    [Object.assign(new Error(), { code: 'EACCES' }), 'EACCES'],
    [Object.assign(new Error(), { code: 'EWHATEVER' }), undefined],
    [new Error(), undefined],
    [null, undefined],
  ])('%s → %s', (error, code) => {
    expect(nativeCodeOf(error)).toBe(code);
  });
});
