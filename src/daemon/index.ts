export { runDaemonProcess } from './process.js';
export { type Daemon, type DaemonOptions, startDaemon } from './start-daemon.js';
