// npm run ready: what CI asks of a change, before it is pushed.
import { join } from 'node:path';
import { root, run } from './lib/run.mjs';

for (const script of ['lint.mjs', 'build.mjs', 'test.mjs']) run(process.execPath, [join(root, 'scripts', script)]);
