import type { ContainerRequest } from '../../api/types.js';
import type { ExposedPort } from '../../model/exposed-port.js';
import type { Container } from '../container.js';
import type { ContainerRecord } from '../record.js';

/** What a start needs of the links of the container that starts. */
export interface LinksAtStart {
  readonly env: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/**
 * The one link graph. A link is written in its parent's record, keyed by the child's id; variables, hosts lines, DNS aliases,
 * and what `inspect` and `ps` say are read from there whenever they are needed, so nothing has to be kept in step.
 */
export interface Links {
  /**
   * At create: each target by full id, name or unique prefix of an id.
   *
   * @param parent the name of the container that is being made
   * @throws UnetError NOT_FOUND, AMBIGUOUS `could not get container for NAME: …`
   */
  bind(parent: string, requests: ContainerRequest['links']): ContainerRecord['links'];
  /**
   * At start, before its files are written: every child runs and shares a network; where no port is declared, its first listener
   * is waited for.
   *
   * @throws UnetError CONFLICT `Cannot link to a non running container: /db AS /web/db`
   */
  prepare(parent: Container, signal: AbortSignal): Promise<LinksAtStart>;
  /** Its /etc/hosts as the graph says now. */
  hosts(record: ContainerRecord): string;
  /** It started, ended, was renamed or is gone: the hosts files of those that link to it follow. */
  changed(container: Container): void;
  /** `rm --link web/db`. @throws UnetError NOT_FOUND, CONFLICT */
  unlink(path: string): Promise<void>;
  /** The name, then its link names: `db`, `web/db`. */
  namesOf(container: Container): string[];
  /** Whom the asker calls by this alias, in any case; undefined: nobody. */
  childByAlias(asker: string, alias: string): Container | undefined;
  /** Declared ports, else those that it is seen listening on. */
  exposedBy(container: Container): readonly ExposedPort[];
  close(): void;
}
