import { describe, expect, it } from 'vitest';
import { isContainerId, isIdPrefix, newContainerId, shortId } from '../../../src/model/container-id.js';

describe('newContainerId', () => {
  it('is 64 hex digits, drawn again while the short form is all digits', () => {
    const draws = [Buffer.alloc(32, 0x12), Buffer.alloc(32, 0x1a)];
    const id = newContainerId(() => draws.shift() ?? Buffer.alloc(32));
    expect(id).toBe('1a'.repeat(32));
    expect(draws).toEqual([]);
    expect(isContainerId(id)).toBe(true);
    expect(shortId(id)).toBe('1a1a1a1a1a1a');
  });
});

describe('isIdPrefix', () => {
  it.each([
    ['a', true],
    ['0'.repeat(64), true],
    ['0'.repeat(65), false],
    ['', false],
    ['G', false],
    ['A', false],
  ])('%j: %s', (text, expected) => {
    expect(isIdPrefix(text)).toBe(expected);
  });
});
