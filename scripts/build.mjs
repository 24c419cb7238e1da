// npm run build: packages, native parts, TypeScript.
import { installAndBuild } from './lib/build.mjs';

await installAndBuild();
