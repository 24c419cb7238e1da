/** A port of a container that others may know of. Published or not, it is the container's own number. */
export interface ExposedPort {
  readonly port: number;
  /** `tcp`, `udp`, or what else was declared: only links' variables and tables read it. */
  readonly protocol: string;
}
