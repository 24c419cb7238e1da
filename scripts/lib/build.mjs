// Everything under dist/, from what is in the repository. What has not changed is not built again.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './install.mjs';
import { cache, dist, fail, native, root, run, runBin, say } from './run.mjs';
import { whenChanged } from './stamp.mjs';
import { requireCompiler, requireLinux, requireNode, requireRust } from './toolchain.mjs';

const NATIVE_OUTPUTS = ['dist/native/unet.node', 'dist/native/unet-launch', 'native/node/index.d.ts'];
const TS_OUTPUTS = ['dist/unet.cjs', 'dist/daemon.mjs', 'dist/lib/index.js'];

export async function installAndBuild() {
  requireLinux();
  requireNode();
  install();
  await buildNative();
  await buildTypeScript();
}

export async function buildNative() {
  await whenChanged(
    'native',
    { inputs: ['native', 'scripts/lib/build.mjs', 'package-lock.json'], outputs: NATIVE_OUTPUTS },
    () => {
      requireRust();
      requireCompiler();
      say('building the native parts (cargo, release; the first time takes a few minutes)');
      run('cargo', ['build', '--release', '--locked', '-p', 'unet-launch'], { cwd: native });
      buildAddon();
      place(join(targetDirectory(), 'release', 'unet-launch'), join(dist, 'native'), 'unet-launch');
    },
  );
}

/** The benchmarks' own load generator: no part of dist/. */
export async function buildLoad() {
  const inputs = ['native/load', 'native/Cargo.toml', 'native/Cargo.lock', 'scripts/lib/build.mjs'];
  await whenChanged('load', { inputs, outputs: ['.cache/bench/unet-load'] }, () => {
    requireRust();
    say("building the benchmarks' load generator");
    run('cargo', ['build', '--release', '--locked', '-p', 'unet-load'], { cwd: native });
    place(join(targetDirectory(), 'release', 'unet-load'), join(cache, 'bench'), 'unet-load');
  });
}

export async function buildTypeScript() {
  const inputs = [
    'src',
    'scripts/build-ts.mjs',
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
  ];
  await whenChanged('typescript', { inputs, outputs: TS_OUTPUTS }, () => {
    say('building the TypeScript');
    run(process.execPath, [join(root, 'scripts', 'build-ts.mjs')]);
  });
}

/** @napi-rs/cli runs cargo and writes the types beside the crate; they are committed, and CI looks for drift. */
function buildAddon() {
  const crate = join(native, 'node');
  const old = builtAddons(crate);
  for (const file of old) rmSync(join(crate, file));
  runBin('@napi-rs/cli/dist/cli.js', [
    ...['build', '--platform', '--release', '--no-js', '--dts', 'index.d.ts'],
    ...['--manifest-path', join(crate, 'Cargo.toml'), '--output-dir', crate],
    ...['--', '--locked'],
  ]);
  const [addon] = builtAddons(crate);
  if (addon === undefined) fail('napi build said nothing was wrong, yet left no .node file in native/node');
  place(join(crate, addon), join(dist, 'native'), 'unet.node');
}

function builtAddons(crate) {
  return readdirSync(crate).filter((file) => file.endsWith('.node'));
}

function targetDirectory() {
  return process.env.CARGO_TARGET_DIR ?? join(native, 'target');
}

/** By rename: a daemon that runs has the old file mapped, and writing into it would crash that daemon. */
function place(from, directory, name) {
  mkdirSync(directory, { recursive: true });
  const temporary = join(directory, `.${name}.${process.pid}`);
  copyFileSync(from, temporary);
  chmodSync(temporary, 0o755);
  renameSync(temporary, join(directory, name));
}
