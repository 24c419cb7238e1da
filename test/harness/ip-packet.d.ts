declare module 'ip-packet' {
  export interface State {
    start: number;
    end: number;
    buffer: Buffer;
  }
  export interface Packet {
    version: number;
    ihl?: number;
    dscp?: number;
    ecn?: number;
    length?: number;
    identification?: number;
    flags?: number;
    /** In units of eight bytes. */
    fragmentOffset?: number;
    ttl?: number;
    protocol?: number;
    checksum?: number;
    sourceIp: string;
    destinationIp: string;
    data: Buffer;
  }
  export function preencode(state: State, packet: Packet): void;
  export function encode(state: State, packet: Packet): void;
  export function decode(state: State): Required<Packet>;
  /** Writes what it computes into bytes 10 and 11 of its argument. */
  export function checksum(packet: Buffer): number;
}
