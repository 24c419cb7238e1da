import { isIPv4 } from 'node:net';
import * as ipPacket from 'ip-packet';

/**
 * IPv4 by hands that did not write ours: ip-packet is the oracle of what the stack sends and the factory of what it is sent.
 *
 * The codec checks nothing and trusts its caller (short packets decode to NaN, a checksum is written into the buffer that it
 * is computed over, a wrong address becomes another), so everything goes through the checks of this file.
 */

const HEADER_BYTES = 20;
const MAX_PACKET_BYTES = 65_535;
/** The "more fragments" bit of the three flags. */
export const MORE_FRAGMENTS = 1;

export type Ipv4Packet = Required<ipPacket.Packet>;
export type Ipv4Fields = Omit<ipPacket.Packet, 'version' | 'ihl' | 'length' | 'checksum'>;

/** One packet; what lies behind its total length (Ethernet's padding) is left out. Throws on anything else. */
export function decodeIpv4(bytes: Buffer): Ipv4Packet {
  if (bytes.length < HEADER_BYTES) throw new RangeError(`${bytes.length} bytes are no IPv4 header`);
  const length = bytes.readUInt16BE(2);
  if (bytes[0] !== 0x45) throw new RangeError(`not IPv4 without options: ${bytes.toString('hex', 0, HEADER_BYTES)}`);
  if (length < HEADER_BYTES || length > bytes.length)
    throw new RangeError(`total length ${length} of ${bytes.length} bytes`);
  return ipPacket.decode({ start: 0, end: length, buffer: bytes.subarray(0, length) });
}

/** The header's checksum as the oracle computes it. */
export function headerChecksum(bytes: Buffer): number {
  return ipPacket.checksum(Buffer.from(bytes.subarray(0, HEADER_BYTES)));
}

/** A packet with a right checksum. To make a wrong one, change the result. */
export function encodeIpv4(fields: Ipv4Fields): Buffer {
  for (const address of [fields.sourceIp, fields.destinationIp]) {
    if (!isIPv4(address)) throw new TypeError(`${address} is no IPv4 address`);
  }
  if (HEADER_BYTES + fields.data.length > MAX_PACKET_BYTES) throw new RangeError('the packet would be too long');
  const packet = { version: 4, ...fields };
  const state = { start: 0, end: 0, buffer: Buffer.alloc(0) };
  ipPacket.preencode(state, packet);
  state.buffer = Buffer.alloc(state.end);
  ipPacket.encode(state, packet);
  ipPacket.checksum(state.buffer);
  return state.buffer;
}
