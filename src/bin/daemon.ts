import { runDaemonProcess } from '../daemon/index.js';
import { messageOf } from '../model/errors.js';
import { VERSION } from './version.js';

try {
  process.exit(await runDaemonProcess(VERSION));
} catch (error) {
  // Before there is a log: the CLI shows the end of what stands here.
  process.stderr.write(`unet: ${messageOf(error)}\n`);
  process.exit(1);
}
