import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runLauncher } from '../../src/launch/run.js';
import { loadNative } from '../../src/native/binding.js';
import { peerOf } from '../../src/native/peer.js';
import type { Stack, StackEvent } from '../../src/native/stack.js';
import { type FakeStack, fakeNative } from '../fixtures/fake-stack.js';
import { until } from '../fixtures/until.js';
import { describeStack } from './stack-compliance.js';

const dist = join(import.meta.dirname, '../../dist/native');
const addon = process.env['UNET_NATIVE'] ?? join(dist, 'unet.node');
const launcher = process.env['UNET_LAUNCH'] ?? join(dist, 'unet-launch');

describeStack('the fake engine', {
  native: fakeNative(),
  launch: (stack, { containerId }) => (stack as FakeStack).playLauncher(containerId),
});

describe.skipIf(!existsSync(addon) || !existsSync(launcher))('what was built', () => {
  const native = existsSync(addon) ? loadNative({ UNET_NATIVE: addon }) : fakeNative();

  describeStack('the engine', { native, launch: (_, spec) => runLauncher(launcher, spec) });

  it('says that its thread has panicked, and refuses every call from then on', async () => {
    const events: StackEvent[] = [];
    const stack = new native.Stack({ handoffSocket: `/tmp/unet-panic-${process.pid}.sock` }, () => {
      events.push(...stack.drainEvents(16));
    });
    (stack as Stack & { panicForTest(): void }).panicForTest();
    await until(() => events.some(({ kind }) => kind === 'fatal'));
    expect(() => stack.snapshot()).toThrow(expect.objectContaining({ code: 'ESTOPPED' }));
    stack.close();
  });

  it('knows who is at the other end of a socket', async () => {
    const path = `/tmp/unet-peer-${process.pid}.sock`;
    const socket = await new Promise<Socket>((resolve) => {
      const server = createServer((accepted) => {
        server.close();
        resolve(accepted);
      }).listen(path, () => connect(path).unref());
    });
    expect(peerOf(socket, native)).toEqual({
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
      pid: process.pid,
      sameUserNamespace: true,
    });
    socket.destroy();
  });
});
