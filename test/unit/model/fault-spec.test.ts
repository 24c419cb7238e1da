import { describe, expect, it } from 'vitest';
import { parseFaults } from '../../../src/model/fault-spec.js';

describe('parseFaults', () => {
  it.each([
    ['loss=2%,reorder=10%,duplicate=1%', { loss: 0.02, duplicate: 0.01, reorder: 0.1 }],
    ['duplicate=0.1%', { loss: 0, duplicate: 0.001, reorder: 0 }],
    ['loss=100%', { loss: 1, duplicate: 0, reorder: 0 }],
  ])('reads %s', (text, faults) => {
    expect(parseFaults(text)).toEqual(faults);
  });

  it.each([
    '',
    'loss',
    'loss=',
    'loss=2',
    'loss=101%',
    'loss=-1%',
    'loss=1%,loss=2%',
    'delay=1%',
    'loss=1%,',
    'loss=1e1%',
  ])('refuses %j and says what it takes', (text) => {
    expect(() => parseFaults(text)).toThrow(/invalid --fault .*loss=PERCENT%/);
  });
});
