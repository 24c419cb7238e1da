export { loadNative } from './binding.js';
export { AnswerBatch, ARENA_BYTES, type GuestQuestion, type GuestReply, readDns } from './dns-seam.js';
export { nativeCodeOf } from './errors.js';
export { peerOf } from './peer.js';
export type * from './stack.js';
