import { describe, expect, it } from 'vitest';
import { parseUnetOpts } from '../../../src/daemon/unet-opts.js';

describe('parseUnetOpts', () => {
  it('S60: reads options as DOCKER_OPTS had them, with = or a space, with one hyphen or two', () => {
    const text = ' --dns 10.0.0.1 --dns=10.0.0.2  -dns-search .corp --dns-opt ndots:1 --dns-option=rotate ';
    expect(parseUnetOpts(text)).toEqual({
      servers: ['10.0.0.1', '10.0.0.2'],
      search: ['corp'],
      options: ['ndots:1', 'rotate'],
    });
  });

  it.each(['', '  '])('says nothing by %j', (text) => {
    expect(parseUnetOpts(text)).toEqual({ servers: null, search: null, options: null });
  });

  it.each([
    ['--dsn x', "unknown option '--dsn'; the options are --dns, --dns-search, --dns-opt, --dns-option"],
    ['10.0.0.1', "unknown option '10.0.0.1'; the options are --dns, --dns-search, --dns-opt, --dns-option"],
    [
      '--constructor=1',
      "unknown option '--constructor=1'; the options are --dns, --dns-search, --dns-opt, --dns-option",
    ],
    ['--dns', "no value behind '--dns'"],
    ['--dns x', '--dns: IP address is not correctly formatted: x'],
    ['--dns-search=17', '--dns-search: 17 is not a valid domain'],
  ])('refuses %s', (text, message) => {
    expect(() => parseUnetOpts(text)).toThrow(
      expect.objectContaining({
        code: 'DAEMON',
        message: `in the variable UNET_OPTS: ${message}; correct it, or unset it`,
      }),
    );
  });
});
