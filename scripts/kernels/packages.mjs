// Stock Debian kernels, fetched as packages by apt from whatever sources this machine has, and unpacked under .cache/kernels without root.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fail, outputOf, say } from '../lib/run.mjs';

/** The -cloud- and -rt- images are left out: the first have no 9p, the second are not what users run. */
const SERIES = {
  6.1: { pattern: /^linux-image-(6\.1\.0-\d+-amd64)(-unsigned)?$/, source: 'Debian 12 (bookworm)' },
  6.12: {
    pattern: /^linux-image-(6\.12\.\d+\+deb1[23]-amd64)(-unsigned)?$/,
    source: 'bookworm-security, bookworm-backports or Debian 13 (trixie)',
  },
};

export const KERNELS = Object.keys(SERIES);

/**
 * The newest kernel of a series that apt offers, ready to boot: { release, vmlinuz, root }, where `root`/lib/modules has its modules.
 * Without apt's lists, or offline, what was fetched before is used.
 */
export function kernel(series, directory) {
  const home = join(directory, series);
  const offered = newestOffered(series);
  const release = offered?.release ?? newest(unpacked(home));
  if (release === undefined) {
    const { source } = SERIES[series];
    fail(
      `apt offers no stock kernel ${series} (linux-image-${series}…-amd64): run "sudo apt-get update"; if that does not help, ` +
        `add ${source} to the sources in /etc/apt`,
    );
  }
  const root = join(home, release);
  if (!existsSync(root)) unpack(offered.name, release, root);
  return { release, root, vmlinuz: join(root, 'boot', `vmlinuz-${release}`) };
}

/** Any package, unpacked: for the one static program that the machine boots with. */
export function packageFiles(name, directory) {
  const into = join(directory, name);
  if (!existsSync(into)) fetchInto(name, into, () => true);
  return into;
}

function newestOffered(series) {
  const { pattern } = SERIES[series];
  const names = outputOf('apt-cache', ['pkgnames', `linux-image-${series}`])?.split('\n') ?? [];
  const found = new Map();
  for (const name of names) {
    const release = pattern.exec(name)?.[1];
    // apt knows names of packages that it cannot fetch, such as removed ones that are still installed.
    if (release !== undefined) found.set(release, [...(found.get(release) ?? []), name]);
  }
  for (const release of [...found.keys()].sort(byVersion).reverse()) {
    const name = found.get(release).sort().find(canBeFetched);
    if (name !== undefined) return { name, release };
  }
  return undefined;
}

function canBeFetched(name) {
  return outputOf('apt-get', ['download', '--print-uris', '-qq', name]) !== null;
}

function unpack(name, release, root) {
  say(`fetching ${name}`);
  fetchInto(name, root, (files) => {
    // Newer packages have their modules in /usr/lib, and kmod looks in /lib.
    if (!existsSync(join(files, 'lib'))) symlinkSync('usr/lib', join(files, 'lib'));
    return succeeds(programs().depmod, ['-b', files, release], files);
  });
}

/** Whole or not at all: an interrupted download must not look like a kernel the next time. */
function fetchInto(name, into, prepare) {
  const temporary = `${into}.${process.pid}`;
  const files = join(temporary, 'files');
  mkdirSync(files, { recursive: true });
  // Not the sandbox user of apt: it may not write here.
  const works =
    succeeds('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], temporary) &&
    succeeds('dpkg-deb', ['-x', readdirSync(temporary).find((file) => file.endsWith('.deb')), files], temporary) &&
    prepare(files);
  if (works) renameSync(files, into);
  rmSync(temporary, { recursive: true, force: true });
  if (!works) fail(`the package ${name} could not be fetched and unpacked: is there a network, and room in ${into}?`);
}

/** What went wrong the program says itself. */
function succeeds(command, args, cwd) {
  return spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** Where kmod's programs are: /sbin is not on every user's PATH. */
export function programs() {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const find = (name) => outputOf('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH: path } })?.trim();
  return { depmod: find('depmod'), qemu: find('qemu-system-x86_64') };
}

function unpacked(home) {
  return existsSync(home) ? readdirSync(home).filter((name) => /^[\d.]+[+-][\w-]+$/.test(name)) : [];
}

function newest(releases) {
  return releases.sort(byVersion).at(-1);
}

function byVersion(left, right) {
  const [a, b] = [left, right].map((release) => release.match(/\d+/g).map(Number));
  for (const [index, part] of a.entries()) {
    if (part !== (b[index] ?? 0)) return part - (b[index] ?? 0);
  }
  return 0;
}
