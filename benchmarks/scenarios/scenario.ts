export interface Settings {
  /** The repository. */
  readonly root: string;
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
  progress(text: string): void;
}
