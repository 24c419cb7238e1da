import { describe, expect, it } from 'vitest';
import {
  completeEvent,
  convertNative,
  type RawEvent,
  type RawNative,
  type RawStack,
} from '../../../src/native/convert.js';
import { nativeCodeOf } from '../../../src/native/errors.js';
import { FakeStack, fakeNative } from '../../fixtures/fake-stack.js';

describe('completeEvent', () => {
  it('has null for what the addon leaves out, and keeps the rest', () => {
    const event = completeEvent({ kind: 'exited', endpoint: 'a', exitCode: 0 });
    expect(event).toMatchObject({ kind: 'exited', endpoint: 'a', exitCode: 0, signal: null, data: null, lost: null });
    expect(Object.values(event)).not.toContain(undefined);
  });
});

describe('convertNative', () => {
  it('passes every call on and converts what comes back', () => {
    const calls: string[] = [];
    const raw = new Proxy({} as RawStack, {
      get:
        (_, name: string) =>
        (...args: unknown[]) => {
          calls.push(name);
          if (name === 'drainEvents') return [{ kind: 'fatal', message: `max ${args[0]}` } satisfies RawEvent];
          if (name === 'snapshot') return { endpoints: [{ id: 'a' }], counters: {}, drops: {}, flows: 3 };
          return name === 'publish' ? 8080 : undefined;
        },
    });
    const addon: RawNative = {
      ...fakeNative(),
      Stack: class {
        constructor() {
          // biome-ignore lint/correctness/noConstructorReturn: stands for the addon's class, whose methods are native.
          return raw;
        }
      } as unknown as RawNative['Stack'],
    };
    const stack = new (convertNative(addon).Stack)({ handoffSocket: '/x' }, () => {});
    expect(stack.drainEvents(7)).toEqual([completeEvent({ kind: 'fatal', message: 'max 7' })]);
    expect(stack.snapshot()).toMatchObject({ flows: 3, endpoints: [{ id: 'a', device: null }] });
    const methods = Object.getOwnPropertyNames(FakeStack.prototype).filter(
      (name) => name !== 'constructor',
    ) as (keyof typeof stack)[];
    for (const method of methods) if (method in stack) (stack[method] as (...args: unknown[]) => unknown)();
    const promised = [
      'drainEvents',
      'addNetwork',
      'removeNetwork',
      'expectEndpoint',
      'dropEndpoint',
      'release',
      'abort',
    ];
    expect(calls).toEqual(
      expect.arrayContaining([...promised, 'signalGuest', 'publish', 'unpublish', 'answerDns', 'snapshot', 'close']),
    );
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
