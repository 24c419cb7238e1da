import { describe, expect, it } from 'vitest';
import { resolvePaths } from '../../../src/model/paths.js';

const base = { uid: 1000, home: '/home/u', hasUserRuntimeDirectory: false };

describe('resolvePaths', () => {
  it.each([
    [{ UNET_RUNTIME_DIR: '/r', XDG_RUNTIME_DIR: '/x' }, true, '/r'],
    [{ XDG_RUNTIME_DIR: '/x' }, true, '/x/unet'],
    [{ XDG_RUNTIME_DIR: '' }, true, '/run/user/1000/unet'],
    [{ XDG_RUNTIME_DIR: 'relative' }, true, '/run/user/1000/unet'],
    [{}, false, '/tmp/unet-1000'],
  ])('%j, own /run/user %s → %s', (env, hasUserRuntimeDirectory, expected) => {
    const paths = resolvePaths({ ...base, env, hasUserRuntimeDirectory });
    expect(paths.runtimeDirectory).toBe(expected);
    expect(paths.controlSocket).toBe(`${expected}/unet.sock`);
    expect(paths.handoffSocket).toBe(`${expected}/handoff.sock`);
  });

  it.each([
    [{ UNET_STATE_DIR: '/s' }, '/s'],
    [{ XDG_STATE_HOME: '/x' }, '/x/unet'],
    [{}, '/home/u/.local/state/unet'],
  ])('%j → %s', (env, expected) => {
    expect(resolvePaths({ ...base, env })).toMatchObject({
      stateDirectory: expected,
      stateLockFile: `${expected}/daemon.lock`,
      logFile: `${expected}/daemon.log`,
      containersDirectory: `${expected}/containers`,
    });
  });

  it.each([
    [{ UNET_CONFIG: '/c/mine.json', XDG_CONFIG_HOME: '/x' }, '/c/mine.json'],
    [{ UNET_CONFIG: '', XDG_CONFIG_HOME: '/x' }, '/x/unet/config.json'],
    [{ XDG_CONFIG_HOME: 'relative' }, '/home/u/.config/unet/config.json'],
    [{}, '/home/u/.config/unet/config.json'],
  ])('S82: %j → %s', (env, expected) => {
    expect(resolvePaths({ ...base, env }).configFile).toBe(expected);
  });

  it.each(['UNET_RUNTIME_DIR', 'UNET_STATE_DIR', 'UNET_CONFIG'])('refuses a relative %s', (variable) => {
    expect(() => resolvePaths({ ...base, env: { [variable]: 'run/unet' } })).toThrow(
      expect.objectContaining({
        code: 'REFUSED',
        message: `${variable} is 'run/unet', which depends on where you are; give an absolute path, one that starts with '/'`,
      }),
    );
    expect(() => resolvePaths({ ...base, env: { [variable]: '' } })).not.toThrow();
  });
});
