import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Container } from '../../../src/daemon/container.js';
import { IdleTimer } from '../../../src/daemon/idle-timer.js';
import { identifyProcess, isAlive, signalProcess } from '../../../src/daemon/process-identity.js';
import type { ContainerRecord } from '../../../src/daemon/record.js';
import { Registry } from '../../../src/daemon/registry.js';
import { idleSeconds } from '../../../src/daemon/settings.js';
import { exitStatus } from '../../../src/daemon/state-store.js';

describe('Registry', () => {
  const container = (id: string, name: string, createdAt = '2026-01-01T00:00:00Z') =>
    new Container({ id: id.padEnd(64, '0'), name, createdAt } as ContainerRecord);

  function registry(): Registry {
    const all = new Registry();
    all.add(container('abc1', 'web', '2026-01-01T00:00:01Z'));
    all.add(container('abd2', 'abc1', '2026-01-01T00:00:03Z'));
    all.add(container('ff', 'db', '2026-01-01T00:00:02Z'));
    return all;
  }

  it.each([
    ['web', 'web'],
    ['/web', 'web'],
    ['abc1'.padEnd(64, '0'), 'web'],
    ['f', 'db'],
    ['abd', 'abc1'],
    // A name beats a prefix, a full id beats a name.
    ['abc1', 'abc1'],
  ])('finds %s', (ref, name) => {
    expect(registry().resolve(ref).name).toBe(name);
  });

  it.each([
    ['ab', 'AMBIGUOUS', 'multiple IDs found with provided prefix: ab'],
    ['nonesuch', 'NOT_FOUND', 'No such container: nonesuch'],
    ['', 'NOT_FOUND', 'No such container: '],
    ['WEB', 'NOT_FOUND', 'No such container: WEB'],
  ])('does not find %j', (ref, code, message) => {
    expect(() => registry().resolve(ref)).toThrow(expect.objectContaining({ code, message }));
  });

  it('lists the newest first', () => {
    expect(
      registry()
        .all()
        .map(({ name }) => name),
    ).toEqual(['abc1', 'db', 'web']);
  });

  it('frees the name with the container', () => {
    const all = registry();
    expect(() => all.requireFree('web')).toThrow(/already in use by container "abc10/);
    all.delete(all.resolve('web'));
    all.requireFree('web');
  });
});

describe('IdleTimer', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fires when nobody has held it for the whole time', () => {
    const onIdle = vi.fn();
    const timer = new IdleTimer(10, onIdle);
    vi.advanceTimersByTime(9_000);
    const [first, second] = [timer.hold(), timer.hold()];
    vi.advanceTimersByTime(60_000);
    first();
    first();
    vi.advanceTimersByTime(60_000);
    expect(onIdle).not.toHaveBeenCalled();
    second();
    vi.advanceTimersByTime(9_999);
    expect(onIdle).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(onIdle).toHaveBeenCalledOnce();
  });

  it('never fires with 0 seconds', () => {
    const onIdle = vi.fn();
    new IdleTimer(0, onIdle);
    vi.advanceTimersByTime(1e9);
    expect(onIdle).not.toHaveBeenCalled();
  });
});

describe('idleSeconds', () => {
  it.each([
    [undefined, 60],
    ['', 60],
    ['0', 0],
    ['1.5', 1.5],
    ['604800', 604800],
  ])('UNET_IDLE_SECONDS=%s → %d', (text, expected) => {
    expect(idleSeconds(text === undefined ? {} : { UNET_IDLE_SECONDS: text })).toBe(expected);
  });

  it.each(['-1', 'soon', '604801', '1e3'])('refuses %s', (text) => {
    expect(() => idleSeconds({ UNET_IDLE_SECONDS: text })).toThrow(/give seconds from 0 \(never\) to 604800/);
  });
});

describe('process identity', () => {
  let child: ChildProcess;
  beforeEach(() => {
    child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  });
  afterEach(() => {
    child.kill('SIGKILL');
  });

  it('knows a process until it ends, and does not mistake another for it', async () => {
    const identity = identifyProcess(child.pid ?? 0);
    expect(identity).toMatchObject({ pid: child.pid, startTime: expect.stringMatching(/^\d+$/) });
    if (!identity) return;
    expect(isAlive(identity)).toBe(true);
    expect(isAlive({ ...identity, startTime: '1' })).toBe(false);
    expect(signalProcess({ ...identity, startTime: '1' }, 'SIGKILL')).toBe(false);
    expect(signalProcess(identity, 'SIGKILL')).toBe(true);
    await once(child, 'exit');
    expect(isAlive(identity)).toBe(false);
    expect(identifyProcess(child.pid ?? 0)).toBeNull();
  });
});

describe('exitStatus', () => {
  it.each([
    [0, null, 0],
    [3, null, 3],
    [0, 15, 143],
    [137, 9, 137],
    [null, null, 255],
  ])('code %s, signal %s → %d', (code, signal, expected) => {
    expect(exitStatus(code, signal)).toBe(expected);
  });
});
