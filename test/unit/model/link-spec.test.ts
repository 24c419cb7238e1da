import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLinkSpec } from '../../../src/model/link-spec.js';

describe('parseLinkSpec', () => {
  it.each([
    ['db', 'db', 'db'],
    ['db:store', 'db', 'store'],
    ['35de8003b19e', '35de8003b19e', '35de8003b19e'],
    ['/foo:/c1/bar', 'foo', 'bar'],
    ['/foo:bar', '/foo', 'bar'],
    ['/db', '/db', 'db'],
    ['db:a/b', 'db', 'b'],
    ['db:My_Db.1', 'db', 'My_Db.1'],
    ['db:ключ', 'db', 'ключ'],
  ])('S17, §2.1: %s is %s as %s', (text, target, alias) => {
    expect(parseLinkSpec(text)).toEqual({ target, alias });
  });

  it.each([
    ['', 'empty string specified for links'],
    ['too:much:of:it', 'bad format for links: too:much:of:it'],
  ])('vector 75: %j is refused: %s', (text, message) => {
    expect(() => parseLinkSpec(text)).toThrow(message);
  });

  it.each([
    ':',
    'db:',
    ':db',
    'db:a/',
    '/',
    'db:a b',
    'db:a\n6.6.6.6\tbank',
    'db:#x',
    'db:A=B',
    'db:\0',
    `db:${'x'.repeat(254)}`,
  ])('refuses %j, which neither a hosts file nor a variable can carry', (text) => {
    expect(() => parseLinkSpec(text)).toThrow(`bad format for links: ${text}`);
  });

  it('gives words alone, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40, unit: 'binary' }), (text) => {
        let parsed: ReturnType<typeof parseLinkSpec>;
        try {
          parsed = parseLinkSpec(text);
        } catch (error) {
          expect(error).toMatchObject({ name: 'UnetError', code: 'INVALID' });
          return;
        }
        expect(parsed.alias).not.toMatch(/[\s/:=\0]/);
        expect(parsed.target).not.toMatch(/[\s\0]/);
      }),
      { numRuns: 2000 },
    );
  });
});
