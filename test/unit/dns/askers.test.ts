import { describe, expect, it } from 'vitest';
import { Askers, MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_ASKER, MIN_IN_FLIGHT_PER_ASKER } from '../../../src/dns/askers.js';

describe('Askers', () => {
  it('let everybody in up to a floor when a few have all the places', () => {
    const askers = new Askers();
    for (let i = 0; i < MAX_IN_FLIGHT; i++) {
      expect(askers.enter(askers.get(`greedy ${Math.floor(i / MAX_IN_FLIGHT_PER_ASKER)}`, 0))).toBe(true);
    }
    const modest = askers.get('modest', 0);
    for (let i = 0; i < MIN_IN_FLIGHT_PER_ASKER; i++) expect(askers.enter(modest)).toBe(true);
    expect(askers.enter(modest)).toBe(false);
    expect(askers.enter(askers.get('greedy 0', 0))).toBe(false);
  });
});
