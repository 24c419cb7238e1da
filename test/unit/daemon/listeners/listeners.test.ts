import { createSocket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Container } from '../../../../src/daemon/container.js';
import { Listeners } from '../../../../src/daemon/listeners/index.js';
import { readListeners } from '../../../../src/daemon/listeners/read-listeners.js';
import { identifyProcess } from '../../../../src/daemon/process-identity.js';
import type { ContainerRecord } from '../../../../src/daemon/record.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const self = identifyProcess(process.pid);
const NOBODY = { pid: process.pid, startTime: '1' };

async function listen(host: string): Promise<number> {
  const server: Server = createServer();
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

async function bind(port: number): Promise<void> {
  const socket = createSocket('udp4');
  closers.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(port, '0.0.0.0', resolve));
}

describe('readListeners', () => {
  it('Decision 8: sees who listens in the network namespace of a process, and nobody on loopback', async () => {
    const [open, open6, closed] = [await listen('0.0.0.0'), await listen('::'), await listen('127.0.0.1')];
    await bind(open6 < 32_768 ? open6 : 20_000 + (open % 10_000));
    const seen = readListeners({ pid: process.pid, supervisor: self }).map(
      ({ port, protocol }) => `${port}/${protocol}`,
    );
    expect(seen).toContain(`${open}/tcp`);
    expect(seen).toContain(`${open6}/tcp`);
    expect(seen).not.toContain(`${closed}/tcp`);
    expect(seen.some((port) => port.endsWith('/udp'))).toBe(true);
    expect(seen.filter((port) => port === `${open6}/tcp`)).toHaveLength(1);
  });

  it('finds the namespace by the supervisor where no pid was heard', async () => {
    // The first child of this process stands for the guest.
    const { spawn } = await import('node:child_process');
    const child = spawn('sleep', ['60']);
    closers.push(() => child.kill('SIGKILL'));
    const open = await listen('0.0.0.0');
    const seen = readListeners({ pid: null, supervisor: self });
    expect(seen).toContainEqual({ port: open, protocol: 'tcp' });
  });

  it('sees nothing of a process that took over the number of one that has gone', () => {
    expect(readListeners({ pid: process.pid, supervisor: NOBODY })).toEqual([]);
    expect(readListeners({ pid: process.pid, supervisor: null })).toEqual([]);
    expect(readListeners({ pid: 0x7fff_ffff, supervisor: self })).toEqual([]);
  });
});

function running(): Container {
  return new Container({ phase: 'running' } as ContainerRecord);
}

describe('Listeners.first', () => {
  const never = new AbortController().signal;

  it('goes on as soon as there is one', async () => {
    let ready = false;
    const listeners = new Listeners(() => (ready ? [{ port: 80, protocol: 'tcp' }] : []));
    const began = performance.now();
    setTimeout(() => {
      ready = true;
    }, 120);
    expect(await listeners.first(running(), { milliseconds: 5000, signal: never })).toBe(true);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('looks once, without any time', async () => {
    let looks = 0;
    const listeners = new Listeners(() => {
      looks++;
      return [];
    });
    expect(await listeners.first(running(), { milliseconds: 0, signal: never })).toBe(false);
    expect(looks).toBe(1);
  });

  it.each<[string, (container: Container, abort: AbortController, listeners: Listeners) => void]>([
    [
      'its container ends',
      (container) => {
        container.record.phase = 'exited';
        container.changed();
      },
    ],
    ['nobody waits any more', (_, abort) => abort.abort()],
    ['the daemon ends', (_, __, listeners) => listeners.close()],
  ])('gives up when %s', async (_, happen) => {
    const listeners = new Listeners(() => []);
    const [container, abort] = [running(), new AbortController()];
    const waiting = listeners.first(container, { milliseconds: 60_000, signal: abort.signal });
    happen(container, abort, listeners);
    expect(await waiting).toBe(false);
  });
});
