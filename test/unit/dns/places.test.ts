import { describe, expect, it } from 'vitest';
import { MIN_PER_ASKER, Places } from '../../../src/dns/places.js';

const takeAll = (places: Places, server: string, asker: string): number => {
  let taken = 0;
  while (places.take(server, asker)) taken++;
  return taken;
};

describe('Places', () => {
  it('leave some to other askers when one takes all he can get', () => {
    const places = new Places({ total: 128 });
    // Half of the half that one server may have.
    expect(takeAll(places, 's', 'greedy')).toBe(32);
    expect(takeAll(places, 's', 'second')).toBe(16);
    for (let i = 0; i < 20; i++) expect(takeAll(places, 's', `other ${i}`)).toBeGreaterThanOrEqual(MIN_PER_ASKER);
  });

  it('leave some to other servers when one keeps all it can get', () => {
    const places = new Places({ total: 128 });
    for (let i = 0; i < 10; i++) takeAll(places, 'slow', `asker ${i}`);
    expect(takeAll(places, 'quick', 'asker 0')).toBeGreaterThan(10);
  });

  it('hold the bounds for a server and for all, and are free again when they are left', () => {
    const places = new Places({ total: 20, perServer: 8 });
    const counts = ['a', 'b', 'c', 'd'].map((server) => {
      let taken = 0;
      for (let i = 0; i < 20; i++) taken += takeAll(places, server, `asker ${i}`);
      return taken;
    });
    expect(counts).toEqual([8, 8, 4, 0]);
    expect(places.take('d', 'late')).toBe(false);
    places.leave('a', 'asker 0');
    expect(places.take('d', 'late')).toBe(true);
    expect(places.take('d', 'late')).toBe(false);
  });
});
