import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import writeFileAtomic from 'write-file-atomic';
import { isContainerId } from '../model/container-id.js';
import { errnoOf, messageOf, UnetError } from '../model/errors.js';
import type { EtcFiles } from './etc-files.js';
import { type ContainerRecord, recordSchema } from './record.js';

export const ETC_FILES = ['hosts', 'hostname', 'resolv.conf'] as const;
export type EtcFile = (typeof ETC_FILES)[number];

/** How a command ended, as its supervisor wrote it down. */
export interface ExitRecord {
  readonly exitCode: number;
  readonly finishedAt: string | null;
}

const exitSchema = v.object({
  exitCode: v.nullable(v.number()),
  signal: v.nullish(v.number()),
  finishedAt: v.nullish(v.string()),
});

export interface LoadedState {
  readonly records: ContainerRecord[];
  /** Directories that hold no record we can read, with the reason. */
  readonly broken: { readonly id: string; readonly reason: string }[];
}

/** The files of containers: `containers/<id>/{container.json, output.log, exit.json, etc/…}`. */
export class StateStore {
  readonly #root: string;
  readonly #etc: EtcFiles;

  constructor(containersDirectory: string, etc: EtcFiles) {
    this.#root = containersDirectory;
    this.#etc = etc;
  }

  directory(id: string): string {
    return join(this.#root, id);
  }

  outputLog(id: string): string {
    return join(this.#root, id, 'output.log');
  }

  exitFile(id: string): string {
    return join(this.#root, id, 'exit.json');
  }

  etcFile(id: string, file: EtcFile): string {
    return join(this.#root, id, 'etc', file);
  }

  /**
   * The place of a new container.
   *
   * @param isKept false: without a record in it, so that the next daemon clears away what this one does not bring up
   * @throws UnetError UNAVAILABLE when the disk says no
   */
  create(record: ContainerRecord, isKept: boolean): Promise<void> {
    return this.#sayingWhy(async () => {
      await mkdir(join(this.directory(record.id), 'etc'), { recursive: true, mode: 0o700 });
      if (record.request.detach) await writeFile(this.outputLog(record.id), '', { mode: 0o600 });
      if (isKept) await this.#write(record);
    });
  }

  /**
   * For a start: its /etc files, a log that goes on where the last one ended, and no word of how an earlier run ended.
   *
   * @param log whether its output goes to the log
   * @throws UnetError UNAVAILABLE when the disk says no
   */
  prepare(record: ContainerRecord, etc: Readonly<Record<EtcFile, string>>, log: boolean): Promise<void> {
    return this.#sayingWhy(async () => {
      await rm(this.exitFile(record.id), { force: true });
      await Promise.all(ETC_FILES.map((file) => this.#writeEtc(record.id, file, etc[file])));
      if (log) await writeFile(this.outputLog(record.id), '', { flag: 'a', mode: 0o600 });
      await this.#write(record);
    });
  }

  /** @throws Error of the file system, also when the container was removed: nothing brings its directory back */
  async save(record: ContainerRecord): Promise<void> {
    await this.#write(record);
  }

  async #sayingWhy(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw new UnetError(
        'UNAVAILABLE',
        `cannot write the state of a container: ${messageOf(error)}; make room in ${this.#root}, and see that it is yours to write to`,
        {
          cause: error,
        },
      );
    }
  }

  /** In place, so that the guest's bind mount of this very inode shows it; no reader in the guest sees half of it. */
  rewriteEtc(id: string, file: EtcFile, text: string): void {
    this.#etc.rewrite(this.etcFile(id, file), text);
  }

  /** @throws Error of the file system: something of it is still there */
  async remove(id: string): Promise<void> {
    // A write of the record that is under way may put a temporary file into a directory that was just emptied.
    await rm(this.directory(id), { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
  }

  /** Null when the supervisor has written nothing (yet). */
  readExit(id: string): ExitRecord | null {
    let text: string;
    try {
      text = readFileSync(this.exitFile(id), 'utf8');
    } catch {
      return null;
    }
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), exitSchema), text);
    if (!parsed.success) return null;
    const { exitCode, signal, finishedAt } = parsed.output;
    return { exitCode: exitStatus(exitCode, signal ?? null), finishedAt: finishedAt ?? null };
  }

  load(): LoadedState {
    const state: LoadedState = { records: [], broken: [] };
    for (const id of this.#ids()) {
      try {
        const text = readFileSync(join(this.directory(id), 'container.json'), 'utf8');
        state.records.push(v.parse(recordSchema, JSON.parse(text)));
      } catch (error) {
        state.broken.push({ id, reason: errnoOf(error) === 'ENOENT' ? 'no container.json' : messageOf(error) });
      }
    }
    return state;
  }

  #ids(): string[] {
    try {
      return readdirSync(this.#root).filter(isContainerId);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Readable for everybody, as files in /etc are, whatever the umask; the directories around them are closed. */
  async #writeEtc(id: string, file: EtcFile, text: string): Promise<void> {
    await writeFile(this.etcFile(id, file), text);
    await chmod(this.etcFile(id, file), 0o644);
  }

  async #write(record: ContainerRecord): Promise<void> {
    const path = join(this.directory(record.id), 'container.json');
    // Without fsync: it must survive a kill of the daemon, not of the machine, whose containers die with it.
    await writeFileAtomic(path, `${JSON.stringify(record)}\n`, { mode: 0o600, fsync: false });
  }
}

/** As a shell would say it: 128 + N for signal N. */
export function exitStatus(exitCode: number | null, signal: number | null): number {
  if (signal !== null) return 128 + signal;
  return exitCode ?? 255;
}
