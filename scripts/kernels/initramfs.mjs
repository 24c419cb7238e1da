// The first file system of the machine: a static shell, the modules that reach this machine's own files, and two scripts.
// Written in cpio's "newc" format, which is what the kernel reads and which is short enough to write by hand.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What stands between the kernel and the root file system. A kernel that has one of them built in lists no file for it. */
const MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay'];
const XZ_OUTPUT_BYTES = 64 * 1024 * 1024;

export function initramfs({ root, release, busybox, scripts }) {
  const modules = loadOrder(join(root, 'lib', 'modules', release));
  const archive = new Archive();
  for (const directory of ['bin', 'modules', 'proc', 'sys', 'dev', 'new']) archive.directory(directory);
  archive.file('bin/busybox', readFileSync(busybox), 0o755);
  for (const [name, file] of Object.entries(scripts)) archive.file(name, readFileSync(file), 0o755);
  // busybox has no xz for modules, so what is packed is unpacked here.
  for (const file of modules) archive.file(join('modules', moduleName(file)), plain(file), 0o644);
  archive.file('modules/order', Buffer.from(modules.map((file) => `${moduleName(file)}\n`).join('')), 0o644);
  return archive.finish();
}

/** Files of the modules with what they need in front, each once, as depmod found it. */
function loadOrder(directory) {
  const needs = new Map();
  for (const line of readFileSync(join(directory, 'modules.dep'), 'utf8').split('\n').filter(Boolean)) {
    const [file, rest] = line.split(':');
    needs.set(moduleName(file).replaceAll('-', '_'), { file, rest: rest.trim().split(' ').filter(Boolean) });
  }
  const order = new Set();
  for (const name of MODULES) {
    const entry = needs.get(name);
    if (entry === undefined) continue;
    // modules.dep lists the nearest need first.
    for (const file of [...entry.rest.reverse(), entry.file]) order.add(join(directory, file));
  }
  return [...order];
}

function moduleName(file) {
  return basename(file).replace(/\.ko(\.\w+)?$/, '');
}

function plain(file) {
  if (!file.endsWith('.xz')) return readFileSync(file);
  return execFileSync('xz', ['-dc', file], { maxBuffer: XZ_OUTPUT_BYTES });
}

class Archive {
  #parts = [];
  #inode = 0;

  directory(name) {
    this.#entry(name, 0o040755, Buffer.alloc(0));
  }

  file(name, bytes, mode) {
    this.#entry(name, 0o100000 | mode, bytes);
  }

  finish() {
    this.#entry('TRAILER!!!', 0, Buffer.alloc(0));
    return Buffer.concat(this.#parts);
  }

  #entry(name, mode, bytes) {
    this.#inode += 1;
    const fields = [this.#inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    this.#parts.push(padded(Buffer.from(header)), padded(bytes));
  }
}

/** Names and contents both end on a multiple of four bytes. */
function padded(bytes) {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
