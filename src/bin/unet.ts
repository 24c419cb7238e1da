import * as nodeModule from 'node:module';
import { main } from '../cli/index.js';
import { VERSION } from './version.js';

// Node 22.1 and later keep the compiled form of this one file; Node 20 has no such function and compiles it each time.
(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.();

main(process.argv.slice(2), { version: VERSION, env: process.env, cwd: () => process.cwd() }).then((status) => {
  process.exit(status);
});
