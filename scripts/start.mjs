// npm start: builds what is not built, then shows the thing itself: a web server in a network of its own, published on
// port 8080 of this machine. `npm start -- ps` and the like hand the arguments to the CLI instead.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { installAndBuild } from './lib/build.mjs';
import { dist, fail, root, say } from './lib/run.mjs';

await installAndBuild();

const cli = join(dist, 'unet.cjs');
const passed = process.argv.slice(2);
const argv = passed.length > 0 ? passed : example();

const child = spawn(process.execPath, ['--', cli, ...argv], { stdio: 'inherit' });
// Ctrl-C reaches the whole foreground group, the command inside too. It decides; we wait for it.
for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => fail(`cannot start ${cli}: ${error.message}`));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});

function example() {
  const port = process.env.PORT ?? '8080';
  if (!/^\d+$/.test(port)) fail(`PORT must be a port number, not "${port}"`);
  const script = join(root, 'examples', 'hello.mjs');
  say(`running examples/hello.mjs in a network of its own. Open http://127.0.0.1:${port}/ ; Ctrl-C ends it.`);
  say(`the same by hand: node dist/unet.cjs run --rm --name hello -p ${port}:8080 -- node examples/hello.mjs`);
  say('if the port is taken: PORT=8081 npm start');
  return ['run', '--rm', '--name', 'hello', '-p', `${port}:8080`, '--', process.execPath, script];
}
