import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTemplate, TemplateError, type Value } from '../../../../src/cli/template/index.js';
import { MAX_NESTING, MAX_STEPS, MAX_TEMPLATE } from '../../../../src/cli/template/limits.js';
import { DOCUMENT, FAILING, PRINTED, UNREADABLE } from './go-cases.js';

const run = (template: string, data: Value = DOCUMENT) => parseTemplate(template).execute(data);

function errorOf(template: string, data: Value = DOCUMENT): TemplateError {
  try {
    run(template, data);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error(`${template} is no error`);
}

describe('templates', () => {
  it.each(PRINTED)('print what Go prints: %j', (template, expected) => {
    expect(run(template)).toBe(expected);
  });

  it.each(UNREADABLE)('are refused where Go refuses them: %j', (template) => {
    expect(errorOf(template).stage).toBe('parse');
  });

  it.each(FAILING)('fail where Go fails: %j', (template) => {
    expect(errorOf(template).stage).toBe('execute');
  });

  it.each([
    ['{{.Name', 'template: :1: unclosed action'],
    ['a\n{{foo}}', 'template: :2: function "foo" not defined'],
    ['{{$x}}', 'template: :1: undefined variable "$x"'],
    ['{{if true}}x', 'template: :1: unexpected EOF'],
    ['{{end}}', 'template: :1: unexpected {{end}}'],
    ['{{if}}x{{end}}', 'template: :1: missing value for if'],
    ['{{"x}}', 'template: :1: unterminated quoted string'],
    ['{{define "x"}}{{end}}', 'template: :1: {{define}} is not supported'],
    ['{{index .Env 9}}', 'template: :1:2: executing "" at <index .Env 9>: error calling index: index out of range: 9'],
    ['{{.Nmae}}', 'template: :1:2: executing "" at <.Nmae>: map has no entry for key "Nmae"; did you mean "Name"?'],
    [
      'a\n {{.State.Xyzzyplugh}}',
      'template: :2:3: executing "" at <.State.Xyzzyplugh>: map has no entry for key "Xyzzyplugh"',
    ],
    [
      '{{eq 1 "1"}}',
      'template: :1:2: executing "" at <eq 1 "1">: error calling eq: incompatible types for comparison: int and string',
    ],
  ])('say what is wrong: %j', (template, expected) => {
    expect(errorOf(template).message).toBe(expected);
  });

  it('print nothing of a map as <no value>, and null as <nil>', () => {
    expect(run('{{.NetworkSettings.Networks.none}}')).toBe('<no value>');
    expect(run('{{index .NetworkSettings.Networks "none"}}')).toBe('<no value>');
    expect(run('{{index .NetworkSettings.Ports "443/tcp"}}')).toBe('<nil>');
    expect(run('{{.NetworkSettings.Ports}}')).toBe('map[443/tcp:<nil> 80/tcp:[{0.0.0.0 9876}]]');
    expect(run('{{len (index .NetworkSettings.Ports "443/tcp")}}')).toBe('0');
  });

  it('do not see what every object of JavaScript has', () => {
    expect(errorOf('{{.constructor}}').message).toContain('map has no entry for key "constructor"');
    expect(errorOf('{{.__proto__}}').message).toContain('map has no entry');
    expect(run('{{index . "toString"}}')).toBe('<no value>');
    expect(errorOf('{{toString}}').message).toContain('function "toString" not defined');
    expect(run('{{json .}}', new Map([['__proto__', 'x']]))).toBe('{"__proto__":"x"}');
  });

  it('know fields by a second name, where one is given', () => {
    const template = parseTemplate('{{.ID}}');
    expect(template.execute({ Id: 'abc' }, { ID: 'Id' })).toBe('abc');
    expect(() => template.execute({ Id: 'abc' })).toThrow('did you mean "Id"?');
  });
});

describe('the limits of a template', () => {
  it('are its length and its depth', () => {
    expect(errorOf(`{{/*${'x'.repeat(MAX_TEMPLATE)}*/}}`).message).toContain('longer than');
    const deep = (levels: number) => `${'{{if true}}'.repeat(levels)}x${'{{end}}'.repeat(levels)}`;
    expect(run(deep(MAX_NESTING - 1))).toBe('x');
    expect(errorOf(deep(MAX_NESTING + 1)).message).toContain('levels of blocks');
    expect(errorOf(`{{${'('.repeat(MAX_NESTING + 1)}1${')'.repeat(MAX_NESTING + 1)}}}`).stage).toBe('parse');
  });

  it.each([
    ['a loop of loops', '{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}'],
    ['one long loop', `{{range ${MAX_STEPS + 1}}}{{end}}`],
    ['a text that doubles', `{{$x := "x"}}{{range 64}}{{$x = print $x $x}}{{end}}`],
    ['much output', '{{$x := printf "%10000s" ""}}{{range 10000}}{{$x}}{{end}}'],
    ['wide padding', '{{pad "x" 999999999 0}}'],
    ['many long calls', '{{$x := printf "%10000s" "x"}}{{range 10000}}{{$y := upper $x}}{{end}}'],
  ])('end %s', (_, template) => {
    expect(errorOf(template).stage).toBe('execute');
  });

  it('do not take a width for what it says', () => {
    expect(run('{{printf "%99999999d" 1}}')).toBe('%!(BADWIDTH)%!(EXTRA int=1)');
  });

  it('are levels of the data, too', () => {
    let data: Value = 'x';
    for (let level = 0; level < 10_000; level++) data = [data];
    expect(errorOf('{{.}}', data).message).toContain('levels');
    expect(errorOf('{{json .}}', data).message).toContain('levels');
  });
});

describe('any input', () => {
  const words = fc.constantFrom(
    ...[
      '{{',
      '}}',
      '{{- ',
      ' -}}',
      '.',
      '.Name',
      '.Env',
      '$',
      '$x',
      ':=',
      '=',
      '|',
      '(',
      ')',
      ',',
      ' ',
      '\n',
      '"a"',
      '`b`',
    ],
    ...[
      '1',
      '-2.5',
      '0x',
      "'c'",
      'if ',
      'else ',
      'end',
      'range ',
      'with ',
      'break',
      'nil',
      'true',
      'index ',
      'printf ',
      '/*',
      '*/',
    ],
    ...[
      'json ',
      'and ',
      'or ',
      'not ',
      'len ',
      'join ',
      'pad ',
      'truncate ',
      'slice ',
      'eq ',
      '"%5d %q %v"',
      'text',
      '\\',
      '"',
      '€',
    ],
  );
  const anything = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 30 }).map((parts) => parts.join('')),
  );

  it('gives a text or a template error, and nothing else', () => {
    fc.assert(
      fc.property(anything, fc.jsonValue(), (template, data) => {
        try {
          expect(typeof run(template, data as Value)).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('without an action comes back as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('{{'));
        expect(run(text)).toBe(text);
      }),
    );
  });

  it('is printed as JSON that reads back as the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(JSON.parse(run('{{json .}}', data as Value))).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });
});
