import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { UnetError } from '../model/errors.js';

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
/** Where the kernel has no inotify watch left for us, the file is looked at this often. */
const LOOK_MILLISECONDS = 500;

export interface OutputLog {
  readonly path: string;
  readonly file: FileHandle;
}

export interface ReadLogOptions {
  /** Records from the end; undefined: all. */
  readonly tail?: number | undefined;
  readonly follow: boolean;
  /** Whether nothing more will be written. */
  readonly ended: () => boolean;
  /** Calls back whenever `ended` may have changed; returns how to stop that. */
  readonly onChange: (listener: () => void) => () => void;
  readonly signal: AbortSignal;
}

/** @throws UnetError NOT_FOUND when there is no log */
export async function openOutputLog(path: string): Promise<OutputLog> {
  try {
    return { path, file: await open(path, 'r') };
  } catch (error) {
    throw new UnetError(
      'NOT_FOUND',
      'no log is kept of a command that runs in the foreground: its output went to its terminal',
      { cause: error },
    );
  }
}

/**
 * The bytes of an output log, whole records from the wished one on; with `follow` until the container has ended and everything
 * is read. Closes the log.
 */
export async function* readOutputLog({ path, file }: OutputLog, options: ReadLogOptions): AsyncGenerator<Buffer> {
  const alarm = new Alarm(path, options);
  try {
    let offset = options.tail === undefined ? 0 : await offsetOfTail(file, options.tail);
    while (!options.signal.aborted) {
      // Asked before the reading: what is written between the two must not be lost.
      const last = !options.follow || options.ended();
      for await (const chunk of readFrom(file, offset)) {
        offset += chunk.length;
        yield chunk;
      }
      if (last) return;
      await alarm.ring();
    }
  } finally {
    alarm.stop();
    await file.close();
  }
}

async function* readFrom(file: FileHandle, start: number): AsyncGenerator<Buffer> {
  for (let offset = start; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, offset);
    if (bytesRead === 0) return;
    offset += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Where the last `count` lines begin; the line end of the last one does not count. */
async function offsetOfTail(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  if (count === 0) return size;
  let missing = count;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(end - start), 0, end - start, start);
    for (let index = bytesRead - 1; index >= 0; index--) {
      if (buffer[index] !== NEWLINE || start + index === size - 1) continue;
      missing--;
      if (missing === 0) return start + index + 1;
    }
    end = start;
  }
  return 0;
}

/** Rings when the file grew, the container changed or the reader went away. */
class Alarm {
  readonly #stops: (() => void)[] = [];
  #rung = false;
  #wake: (() => void) | null = null;

  constructor(path: string, { follow, onChange, signal }: ReadLogOptions) {
    if (!follow) return;
    const ring = () => this.#ring();
    try {
      const watcher = watch(path, { persistent: false }, ring);
      watcher.on('error', () => {});
      this.#stops.push(() => watcher.close());
    } catch {
      const timer = setInterval(ring, LOOK_MILLISECONDS);
      this.#stops.push(() => clearInterval(timer));
    }
    signal.addEventListener('abort', ring);
    this.#stops.push(onChange(ring), () => signal.removeEventListener('abort', ring));
  }

  /** Resolves at once when it rang since the last time. */
  async ring(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
    this.#wake = null;
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  #ring(): void {
    this.#rung = true;
    this.#wake?.();
  }
}
