export { Client } from './client.js';
export { type ConnectOptions, connect, connectIfRunning } from './connect.js';
export { currentPaths, ensureDirectories } from './runtime-directory.js';
export type * from './types.js';
