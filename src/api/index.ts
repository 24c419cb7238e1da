export { Client } from './client.js';
export { type ConnectOptions, connect, connectIfRunning } from './connect.js';
export type * from './dns.js';
export type * from './inspect.js';
export { isAlive, readLockHolder } from './lock-file.js';
export { currentPaths, ensureDirectories } from './runtime-directory.js';
export type * from './types.js';
