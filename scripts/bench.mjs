// npm run bench: builds what is not built, bundles benchmarks/run.ts for this Node and runs it.
import { join } from 'node:path';
import { buildLoad, installAndBuild } from './lib/build.mjs';
import { cache, root, run } from './lib/run.mjs';

await installAndBuild();
await buildLoad();
// Not before it is installed; and by its library, because its program is a script or a binary, as npm was allowed to set it up.
const { build } = await import('esbuild');
const bundle = join(cache, 'bench.mjs');
await build({
  entryPoints: [join(root, 'benchmarks', 'run.ts')],
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  outfile: bundle,
});
run(process.execPath, [bundle, ...process.argv.slice(2)]);
