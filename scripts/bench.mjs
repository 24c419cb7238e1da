// npm run bench: builds what is not built, bundles benchmarks/run.ts for this Node and runs it.
import { join } from 'node:path';
import { installAndBuild } from './lib/build.mjs';
import { cache, root, run, runBin } from './lib/run.mjs';

await installAndBuild();
const bundle = join(cache, 'bench.mjs');
runBin('esbuild/bin/esbuild', [
  join(root, 'benchmarks', 'run.ts'),
  ...['--bundle', '--platform=node', '--target=node20', '--format=esm', '--log-level=warning', `--outfile=${bundle}`],
]);
run(process.execPath, [bundle, ...process.argv.slice(2)]);
