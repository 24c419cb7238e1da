import { describe, expectTypeOf, it } from 'vitest';
import type * as Addon from '../../native/node/index.js';
import type * as Ours from '../../src/native/stack.js';

/**
 * The types that napi generated from the Rust code against those that the daemon is written to. Checked by tsc (`npm run
 * typecheck`); nothing of it runs.
 */
describe('the generated types of the addon', () => {
  it('take what the daemon gives', () => {
    expectTypeOf<Ours.NetworkSpec>().toExtend<Addon.NetworkSpec>();
    expectTypeOf<Ours.EndpointSpec>().toExtend<Addon.EndpointSpec>();
    expectTypeOf<Ours.PublishSpec>().toExtend<Addon.PublishSpec>();
    expectTypeOf<Ours.StackOptions>().toExtend<Addon.StackOptions>();
  });

  it('give what the daemon expects', () => {
    // Rust says `kind` as a string; which strings there are is for the compliance test.
    expectTypeOf<Omit<Addon.StackEvent, 'kind'>>().toExtend<Omit<Ours.StackEvent, 'kind'>>();
    expectTypeOf<Addon.StackSnapshot>().toExtend<Ours.StackSnapshot>();
    expectTypeOf<Addon.PeerIdentity>().toExtend<Ours.PeerIdentity>();
    expectTypeOf<typeof Addon.lockFile>().toExtend<Ours.NativeModule['lockFile']>();
    expectTypeOf<typeof Addon.overwriteUnopened>().toExtend<Ours.NativeModule['overwriteUnopened']>();
    expectTypeOf<Omit<Addon.Stack, 'drainEvents'>>().toExtend<Omit<Ours.Stack, 'drainEvents'>>();
  });
});
