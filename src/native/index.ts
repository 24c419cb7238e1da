export { loadNative } from './binding.js';
export { nativeCodeOf } from './errors.js';
export { peerOf } from './peer.js';
export type * from './stack.js';
