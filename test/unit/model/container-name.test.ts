import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateContainerName, parseContainerName } from '../../../src/model/container-name.js';
import { ADJECTIVES, NOUNS } from '../../../src/model/words.js';

describe('parseContainerName', () => {
  it.each([
    ['web', 'web'],
    ['/web', 'web'],
    ['a.b_c-1', 'a.b_c-1'],
    ['0x', '0x'],
  ])('takes %s', (text, name) => {
    expect(parseContainerName(text)).toBe(name);
  });

  it.each(['', 'a', '/', '//web', '-web', '_web', 'x y', 'web/db', 'wéb', 'web\n', 'a'.repeat(64)])(
    'refuses %j',
    (text) => {
      expect(() => parseContainerName(text)).toThrow(expect.objectContaining({ code: 'INVALID' }));
    },
  );

  it('says what is allowed, in the known words', () => {
    expect(() => parseContainerName('x y')).toThrow(
      'Invalid container name (x y), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    );
  });
});

describe('generateContainerName', () => {
  it('makes names that are allowed', () => {
    for (const adjective of ADJECTIVES)
      for (const noun of NOUNS.slice(0, 3)) parseContainerName(`${adjective}_${noun}`);
    for (const noun of NOUNS) parseContainerName(`x_${noun}`);
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(unit, (random) => {
        expect(
          generateContainerName(
            () => false,
            '',
            () => random,
          ),
        ).toMatch(/^[a-z]+_[a-z]+$/);
      }),
    );
  });

  it('has no word twice', () => {
    expect(new Set(ADJECTIVES).size).toBe(ADJECTIVES.length);
    expect(new Set(NOUNS).size).toBe(NOUNS.length);
  });

  it('adds a digit after a clash, and gives up in favour of the id', () => {
    const tried: string[] = [];
    const name = generateContainerName(
      (candidate) => tried.push(candidate) > 0,
      '0123456789ab',
      () => 0.5,
    );
    expect(name).toBe('0123456789ab');
    expect(tried).toHaveLength(6);
    expect(tried[0]).toMatch(/^[a-z]+_[a-z]+$/);
    expect(tried.slice(1).every((candidate) => /^[a-z]+_[a-z]+\d$/.test(candidate))).toBe(true);
  });
});
