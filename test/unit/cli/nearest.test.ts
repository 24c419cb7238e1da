import { describe, expect, it } from 'vitest';
import { nearest } from '../../../src/cli/nearest.js';

describe('the word that was probably meant', () => {
  const keys = ['Id', 'Name', 'State', 'NetworkSettings', 'IPAddress', 'IPPrefixLen'];

  it.each([
    ['IPAdress', 'IPAddress'],
    ['ipaddress', 'IPAddress'],
    ['NetworkSetting', 'NetworkSettings'],
    ['name', 'Name'],
    ['ID', 'Id'],
    ['Stat', 'State'],
  ])('%s: %s', (word, meant) => {
    expect(nearest(word, keys)).toBe(meant);
  });

  it('is nothing where nothing is near', () => {
    expect(nearest('Xyzzyplugh', keys)).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
    expect(nearest('y'.repeat(100_000), ['x'.repeat(100_000)])).toBeUndefined();
  });
});
