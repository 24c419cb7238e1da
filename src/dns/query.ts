export interface Edns {
  readonly udpSize: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** Where the 16 bits of udpSize stand in the query. */
  readonly udpSizeOffset: number;
}

/** A question that is safe to decode and to forward. `bytes` is the packet as it came. */
export interface Query {
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly flags: number;
  readonly type: number;
  readonly class: number;
  /** The first byte behind the question section. */
  readonly questionEnd: number;
  readonly edns: Edns | null;
}
