import { describe, expect, it } from 'vitest';
import { getPath } from '../../../../src/cli/inspect/get-path.js';
import { UnetError } from '../../../../src/model/errors.js';

const DOCUMENT = {
  Name: '/web',
  State: { Pid: 42, Running: true },
  Args: ['a', 'b'],
  Empty: {},
  None: null,
  Ports: { '80/tcp': [{ HostPort: '9876' }], '443/tcp': null },
  Networks: { 'my.net': { IPAddress: '172.18.0.2' }, my: { net: 'shorter' } },
};

describe('a path into a document', () => {
  it.each([
    ['Name', '/web'],
    ['.Name', '/web'],
    ['State.Pid', '42'],
    ['State', '{"Pid":42,"Running":true}'],
    ['Args', '["a","b"]'],
    ['Args.1', 'b'],
    ['None', 'null'],
    ['Ports.80/tcp.0.HostPort', '9876'],
    ['Ports.443/tcp', 'null'],
    ['Networks.my.net.IPAddress', '172.18.0.2'],
  ])('%s gives %s', (path, expected) => {
    expect(getPath(DOCUMENT, path)).toBe(expected);
  });

  it.each([
    ['Nmae', 'no such key: Nmae; did you mean Name?'],
    ['State.pid', 'no such key: State.pid; did you mean State.Pid?'],
    ['Xyzzyplughxyzzy', 'no such key: Xyzzyplughxyzzy; there is Name, State, Args, Empty, None, Ports, Networks'],
    ['Args.2', 'no such key: Args.2; the list has the numbers 0 to 1'],
    ['Args.-1', 'no such key: Args.-1; the list has the numbers 0 to 1'],
    ['Name.0', 'no such key: Name.0; Name has no keys'],
    ['None.x', 'no such key: None.x; None has no keys'],
    ['Empty.x', 'no such key: Empty.x; there is none'],
    ['constructor', 'no such key: constructor; there is Name, State, Args, Empty, None, Ports, Networks'],
    ['Args.length', 'no such key: Args.length; the list has the numbers 0 to 1'],
    ['Networks.my.other', 'no such key: Networks.my.other; there is net'],
  ])('%s is an error that helps', (path, message) => {
    expect(() => getPath(DOCUMENT, path)).toThrow(new UnetError('NOT_FOUND', message));
  });
});
