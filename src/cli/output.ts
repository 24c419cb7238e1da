import { writeSync } from 'node:fs';
import { errnoOf } from '../model/errors.js';

const STDOUT = 1;
const STDERR = 2;
/** Milliseconds to wait for a full pipe that somebody else made non-blocking. */
const FULL_PIPE_PAUSE = 5;

/** Raised when the reader of our output has gone, as `head` does; nobody is left to be told anything. */
export class OutputClosed extends Error {}

/**
 * Writes by system call. process.stdout is never touched: Node would set the terminal or the pipe, which a guest may share,
 * to non-blocking and leave it so.
 */
export function writeOut(data: string | Uint8Array): void {
  writeAll(STDOUT, data);
}

export function writeErr(data: string | Uint8Array): void {
  writeAll(STDERR, data);
}

export function writeLine(line: string): void {
  writeOut(`${line}\n`);
}

/** One line on stderr, with the prefix that all of our messages have. */
export function complain(message: string): void {
  writeErr(`unet: ${message}\n`);
}

function writeAll(fd: number, data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      if (errnoOf(error) === 'EPIPE') throw new OutputClosed('nobody reads our output');
      if (errnoOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE);
    }
  }
}
