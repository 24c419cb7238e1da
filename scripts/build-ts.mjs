// Builds the TypeScript: dist/lib (library and types, by tsc), dist/unet.cjs (the CLI) and dist/daemon.mjs (by esbuild).
//
// The CLI is one minified CommonJS file because loading many small modules costs more than the CLI's own work, and
// because Node's compile cache works on it. It must never hold fastify, pino or the addon: the build fails if it does.
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const NOT_IN_CLI = ['fastify', 'pino', 'write-file-atomic', 'dns-packet'];

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  define: { UNET_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
  metafile: true,
};

rmSync(join(dist, 'lib'), { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });

const cli = await build({
  ...shared,
  entryPoints: ['src/bin/unet.ts'],
  format: 'cjs',
  minify: true,
  // CommonJS has no import.meta; launch/find.ts then goes by __filename.
  define: { ...shared.define, 'import.meta.url': 'undefined' },
  outfile: 'dist/unet.cjs.new',
  // `--` because Node 20 takes an --env-file anywhere in its argv for its own, even after the script.
  banner: { js: '#!/usr/bin/env -S node --' },
});
const slow = Object.keys(cli.metafile.inputs).filter((input) =>
  NOT_IN_CLI.some((name) => input.includes(`node_modules/${name}/`)),
);
if (slow.length > 0) throw new Error(`the CLI bundle must stay light, but it holds ${slow.join(', ')}`);
chmodSync(join(dist, 'unet.cjs.new'), 0o755);
renameSync(join(dist, 'unet.cjs.new'), join(dist, 'unet.cjs'));

await build({
  ...shared,
  entryPoints: ['src/bin/daemon.ts'],
  format: 'esm',
  outfile: 'dist/daemon.mjs',
  sourcemap: true,
  // Bundled CommonJS packages ask for `require` and `__dirname`.
  banner: {
    js: [
      "import { createRequire as unetCreateRequire } from 'node:module';",
      "import { fileURLToPath as unetFileURLToPath } from 'node:url';",
      'const require = unetCreateRequire(import.meta.url);',
      "const __filename = unetFileURLToPath(import.meta.url), __dirname = unetFileURLToPath(new URL('.', import.meta.url));",
    ].join('\n'),
  },
});
