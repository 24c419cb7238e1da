import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT_LOCK_HELD, startDaemonProcess } from '../../../src/launch/daemon-process.js';
import { readLogTail } from '../../../src/launch/log-tail.js';

let root: string;
let script: string;
let logFile: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unet-start-'));
  script = join(root, 'daemon.mjs');
  logFile = join(root, 'daemon.log');
});
afterEach(() => rmSync(root, { recursive: true }));

const flag = () => join(root, 'up');
const start = () => startDaemonProcess({ script, logFile, isUp: async () => existsSync(flag()) });

describe('startDaemonProcess', () => {
  it('waits until the daemon answers', async () => {
    writeFileSync(
      script,
      `import fs from 'node:fs'; setTimeout(() => fs.writeFileSync(${JSON.stringify(flag())}, ''), 100);`,
    );
    await start();
    expect(existsSync(flag())).toBe(true);
  });

  it('puts a log aside that has grown large', async () => {
    writeFileSync(flag(), '');
    writeFileSync(script, '');
    writeFileSync(logFile, 'x'.repeat(5 * 1024 * 1024));
    await start();
    expect(statSync(`${logFile}.1`).size).toBe(5 * 1024 * 1024);
    expect(statSync(logFile).size).toBe(0);
  });

  it('fails with what this start wrote into the log, not with old trouble', async () => {
    appendFileSync(logFile, '{"level":60,"msg":"old trouble"}\n');
    const record = JSON.stringify({ level: 60, msg: 'the daemon could not start', err: { message: 'no TUN' } });
    writeFileSync(script, `console.error('unet: cannot lock'); console.log('${record}'); process.exit(3);`);
    await expect(start()).rejects.toMatchObject({
      code: 'DAEMON',
      message: `cannot start the daemon (it ended with status 3): unet: cannot lock | the daemon could not start: no TUN; its log is ${logFile}`,
    });
  });

  it('starts another when the lock was held by a daemon that was just ending', async () => {
    const count = join(root, 'count');
    writeFileSync(
      script,
      `import fs from 'node:fs';
       fs.appendFileSync(${JSON.stringify(count)}, 'x');
       if (fs.readFileSync(${JSON.stringify(count)}, 'utf8').length < 3) process.exit(${EXIT_LOCK_HELD});
       fs.writeFileSync(${JSON.stringify(flag())}, '');`,
    );
    await start();
    expect(readFileSync(count, 'utf8')).toBe('xxx');
  });
});

describe('a lock that is held', () => {
  const counting = () => `import fs from 'node:fs'; fs.appendFileSync(${JSON.stringify(join(root, 'count'))}, 'x');`;
  const starts = () => readFileSync(join(root, 'count'), 'utf8').length;

  it('by a living process is not fought for: one start, then its name', async () => {
    writeFileSync(script, `${counting()} process.exit(${EXIT_LOCK_HELD});`);
    const deaf = new Error('process 7 holds it');
    const began = performance.now();
    await expect(startDaemonProcess({ script, logFile, isUp: async () => false, holder: () => deaf })).rejects.toBe(
      deaf,
    );
    expect(performance.now() - began).toBeLessThan(8000);
    expect(starts()).toBe(1);
  }, 15_000);

  it('by one that ends meanwhile is taken over', async () => {
    writeFileSync(
      script,
      `${counting()}
       if (fs.readFileSync(${JSON.stringify(join(root, 'count'))}, 'utf8').length < 2) process.exit(${EXIT_LOCK_HELD});
       fs.writeFileSync(${JSON.stringify(flag())}, '');`,
    );
    const until = Date.now() + 800;
    const holder = () => (Date.now() < until ? new Error('deaf') : null);
    await startDaemonProcess({ script, logFile, isUp: async () => existsSync(flag()), holder });
    expect(starts()).toBe(2);
    expect(Date.now()).toBeGreaterThanOrEqual(until);
  });
});

describe('readLogTail', () => {
  it('keeps what tells of trouble, on one line each', () => {
    writeFileSync(
      logFile,
      [
        '{"level":30,"msg":"daemon started"}',
        '{"level":50,"msg":"bad","err":{"message":"worse"}}',
        'file:///x/daemon.mjs:12',
        'TypeError: boom',
        '    at foo (x.js:1:2)',
        '',
        'Node.js v20.20.2',
        '{"level":50,',
      ].join('\n'),
    );
    expect(readLogTail(logFile)).toEqual(['bad: worse', 'file:///x/daemon.mjs:12', 'TypeError: boom']);
  });

  it('bears a log that is not there', () => {
    expect(readLogTail(join(root, 'none'))).toEqual([]);
  });
});
