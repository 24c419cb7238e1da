// One boot: QEMU with this machine's own files (read-only), the clone (with a layer over it that is forgotten) and a directory for results.
//
// Emulated on purpose: hardware virtualisation is not to be had everywhere, least of all inside another virtual machine, and it is the
// kernel's behaviour that counts here, no figure.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';

const CPUS = 2;
const MEMORY_MIB = 4096;
/** Builders and people come first. */
const NICE = 10;
/** A machine that hangs ends here: three times what the whole suite took on two slow cores. */
const LIMIT_MS = 3 * 60 * 60_000;

/** Boots `vmlinuz` and waits for its end. { status, release, report }: null where the machine did not get that far. */
export async function boot({ qemu, vmlinuz, initramfs, clone, out, argumentLines }) {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'arguments'), `${argumentLines.join('\n')}\n`);
  writeFileSync(join(out, 'initramfs'), initramfs);
  const share = (tag, path, access) => [
    '-fsdev',
    `local,id=${tag},path=${escaped(path)},security_model=none,multidevs=remap${access}`,
    '-device',
    `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`,
  ];
  const args = [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35,accel=tcg', '-cpu', 'max', '-smp', String(CPUS), '-m', String(MEMORY_MIB)],
    ...['-kernel', vmlinuz, '-initrd', join(out, 'initramfs')],
    // panic=-1 with -no-reboot: a panic ends QEMU. mitigations=off: nothing to protect, and each costs emulated instructions.
    ...['-append', 'console=ttyS0 loglevel=6 panic=-1 mitigations=off no_timer_check'],
    ...['-serial', `file:${join(out, 'console')}`, '-serial', 'stdio'],
    ...['-device', 'virtio-rng-pci'],
    ...share('files', '/', ',readonly=on'),
    ...share('clone', clone, ',readonly=on'),
    ...share('out', out, ''),
  ];
  // nice adds to what we have been given already, and at 19 next to nothing is left beside other work.
  const nicer = String(Math.max(0, NICE - getPriority()));
  await ended(spawn('nice', ['-n', nicer, qemu, ...args], { stdio: ['ignore', 'inherit', 'inherit'] }));
  rmSync(join(out, 'initramfs'), { force: true });
  return {
    status: number(join(out, 'status')),
    release: text(join(out, 'release')),
    report: json(join(out, 'report.json')),
  };
}

/** QEMU's options are separated by commas; a comma of a path is written twice. */
function escaped(path) {
  return path.replaceAll(',', ',,');
}

function ended(child) {
  return new Promise((resolve) => {
    const stop = () => child.kill('SIGTERM');
    const timer = setTimeout(stop, LIMIT_MS);
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
    child.on('error', resolve);
    child.on('close', () => {
      clearTimeout(timer);
      for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, stop);
      resolve();
    });
  });
}

function text(file) {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

function number(file) {
  const found = text(file);
  return found === null ? null : Number(found);
}

function json(file) {
  const found = text(file);
  return found === null ? null : JSON.parse(found);
}
