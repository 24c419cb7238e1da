// npm run test:kernels: the end-to-end tests on stock Debian kernels, in QEMU, over this machine's own files.
//
//   npm run test:kernels                                 both kernels: test/e2e and test/kernels
//   npm run test:kernels -- 6.1                          one of them
//   npm run test:kernels -- 6.12 test/e2e/run.test.ts    one file; all other words go to vitest (-t 'part of a name')
//
// Not part of CI: it is emulation, an hour for a kernel on two idle cores and no result worth having on busy ones, where unet's own limits
// (half a minute for a daemon to start) and vitest's (a minute for its worker) run out. Leave the clone alone meanwhile: the machine reads it.
//
// Needs Debian with qemu-system-x86, kmod and xz-utils, and no root. The newest kernel of each series is fetched with `apt-get download`
// from the machine's own sources and kept in .cache/kernels (500 MB), as is busybox-static, which the machine boots with. Beside them, in
// SERIES/out: `console`, what the kernel said, and `report.json`. Exit status 1 when a test failed or a machine did not get to its end.
//
// UNET_TEST_PATIENCE (10 here) is what the tests' limits in time are multiplied with and their amounts of data divided by
// (test/harness/patience.ts). A skipped test is listed with its reason.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { initramfs } from './kernels/initramfs.mjs';
import { boot } from './kernels/machine.mjs';
import { KERNELS, kernel, packageFiles, programs } from './kernels/packages.mjs';
import { installAndBuild } from './lib/build.mjs';
import { cache, fail, outputOf, root, say } from './lib/run.mjs';

const PATIENCE = '10';
const VITEST = [
  ...['--project', 'e2e', '--project', 'kernels'],
  ...['--reporter=verbose', '--reporter=scripts/kernels/reporter.mjs'],
];
/** Over these the machine puts file systems of its own. */
const HIDDEN = ['/tmp/', '/run/', '/mnt/'];

const words = process.argv.slice(2).filter((word) => word !== '--');
const wanted = words.filter((word) => KERNELS.includes(word));
const forVitest = words.filter((word) => !KERNELS.includes(word));
const unknown = forVitest.find((word) => /^\d+\.\d+$/.test(word));
if (unknown !== undefined) fail(`no kernel ${unknown} here: give one of ${KERNELS.join(', ')}`);

const { qemu } = requirements();
await installAndBuild();
const directory = join(cache, 'kernels');
mkdirSync(directory, { recursive: true });
const busybox = join(packageFiles('busybox-static', directory), 'bin', 'busybox');
const owner = ordinaryOwner();

const lines = [];
for (const series of wanted.length > 0 ? wanted : KERNELS) lines.push(await testOn(kernel(series, directory), series));
process.stdout.write(`\n${lines.join('\n')}\n`);

async function testOn({ release, root: files, vmlinuz }, series) {
  say(`booting ${release}; the first line of the tests comes after a minute`);
  const scripts = { init: join(root, 'scripts/kernels/init.sh'), 'inside.sh': join(root, 'scripts/kernels/inside.sh') };
  const seenFromInside = join('/mnt/clone', relative(root, files));
  const patience = process.env.UNET_TEST_PATIENCE ?? PATIENCE;
  const out = join(directory, series, 'out');
  const result = await boot({
    qemu,
    vmlinuz,
    initramfs: initramfs({ root: files, release, busybox, scripts }),
    clone: root,
    out,
    argumentLines: [process.execPath, seenFromInside, ...owner, patience, ...VITEST, ...forVitest],
  });
  return summary(release, result, join(out, 'console'));
}

function requirements() {
  const { depmod, qemu } = programs();
  const hint = (names) => `install it: sudo apt-get install ${names}`;
  if (process.arch !== 'x64') fail(`these are kernels for x86-64, and this is ${process.arch}`);
  if (outputOf('apt-get', ['--version']) === null)
    fail('apt-get is missing: kernels are fetched as packages of Debian');
  if (!qemu) fail(`qemu-system-x86_64 is missing: ${hint('qemu-system-x86')}`);
  if (!depmod) fail(`depmod is missing: ${hint('kmod')}`);
  if (outputOf('xz', ['--version']) === null) fail(`xz is missing: ${hint('xz-utils')}`);
  const hidden = HIDDEN.find((place) => process.execPath.startsWith(place));
  if (hidden !== undefined)
    fail(`${process.execPath} cannot be seen inside, where ${hidden} is another: use a Node outside of it`);
  return { qemu };
}

/** Whose hands the tests are in: the clone's owner, or the same stranger that the tests step down to. */
function ordinaryOwner() {
  const { uid, gid } = statSync(root);
  if (uid !== 0) return [uid, gid];
  const account = outputOf('getent', ['passwd'])
    ?.split('\n')
    .map((line) => line.split(':'))
    .find(([, , id]) => Number(id) >= 1000 && Number(id) <= 59_999);
  return account === undefined ? [54_321, 54_321] : [account[2], account[3]];
}

function summary(release, { status, report }, console_) {
  if (status !== 0) process.exitCode = 1;
  if (status === null || report === null)
    return `${release}: the machine ended before the tests did: see ${console_}${existsSync(console_) ? '' : ' (missing)'}`;
  const { passed, failed, skipped } = report;
  const list = (word, tests) => tests.map(({ name, why }) => `  ${word}: ${name}${why ? ` (${why})` : ''}\n`).join('');
  const counts = `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;
  return `${list('SKIP', skipped)}${list('FAIL', failed)}${release}: ${counts}`;
}
