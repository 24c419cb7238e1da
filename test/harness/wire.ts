import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until, type World } from './world.js';

export interface Frame {
  /** From the stack to the guest, or the other way. */
  readonly direction: 'in' | 'out';
  readonly destinationMac: string;
  readonly sourceMac: string;
  readonly etherType: number;
  readonly payload: Buffer;
}

const ETHERNET_BYTES = 14;
export const ETHERTYPE_IPV4 = 0x0800;

/** What passes on a guest's eth0. The world's first process watches: it has the capability, the guest has none. */
export class Wire {
  readonly #world: World;
  readonly #pid: number;
  readonly #file: string;

  private constructor(world: World, pid: number) {
    this.#world = world;
    this.#pid = pid;
    this.#file = join(world.directory, 'tmp', `wire-${pid}`);
  }

  /** @param pid a process of the guest, as the world counts */
  static async watch(world: World, pid: number): Promise<Wire> {
    const wire = new Wire(world, pid);
    await world.admin(`${wire.#python('watch')} > ${wire.#file} &`);
    await until('the wire is watched', () => readFileSync(wire.#file, 'utf8').startsWith('ready'));
    return wire;
  }

  async send(...frames: readonly Buffer[]): Promise<void> {
    const lines = frames.map((frame) => frame.toString('hex')).join('\\n');
    await this.#world.admin(`printf '${lines}\\n' | ${this.#python('send')}`);
  }

  frames(): Frame[] {
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(1, -1);
    return lines.map((line) => {
      const [direction, hex = ''] = line.split(' ');
      const bytes = Buffer.from(hex, 'hex');
      return {
        direction: direction === 'in' ? 'in' : 'out',
        destinationMac: bytes.toString('hex', 0, 6),
        sourceMac: bytes.toString('hex', 6, 12),
        etherType: bytes.readUInt16BE(12),
        payload: bytes.subarray(ETHERNET_BYTES),
      };
    });
  }

  #python(action: string): string {
    return `nsenter --net=/proc/${this.#pid}/ns/net python3 ${this.#world.fixture('wire.py')} ${action} eth0`;
  }
}

export function ethernet(destinationMac: string, sourceMac: string, etherType: number, payload: Buffer): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(etherType);
  return Buffer.concat([Buffer.from(destinationMac, 'hex'), Buffer.from(sourceMac, 'hex'), type, payload]);
}
