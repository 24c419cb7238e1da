import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { decodeIpv4, encodeIpv4, headerChecksum, type Ipv4Packet, MORE_FRAGMENTS } from '../harness/ipv4.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';
import { ETHERTYPE_IPV4, ethernet, Wire } from '../harness/wire.js';
import { until } from '../harness/world.js';

const GATEWAY_MAC = '0242ac110001';
const ICMP = 1;
const TCP = 6;
const UDP = 17;
const PORT_UNREACHABLE = 0x0303;
const ECHO_REPLY = 0;

describeInWorld('the wire between guest and stack, read and written by an independent IPv4 codec', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  /** A container that waits for a file, then runs the script, then idles; its wire is watched from before. */
  const guest = async (script: string) => {
    const go = join(stage.world.directory, 'tmp', `go-${performance.now()}`);
    const command = `while [ ! -e ${go} ]; do sleep 0.05; done; ${script}; echo finished; exec sleep 4711`;
    const id = await stage.unet.detached(['--name', 'guest'], ['sh', '-c', command]);
    const process = stage.world.processes().find((one) => one.command.startsWith('sh -c while'));
    const wire = await Wire.watch(stage.world, process?.pid ?? 0);
    const own = (await stage.unet.shell('getent ahostsv4 guest')).split(' ')[0] ?? '';
    const mac = Buffer.from([0x02, 0x42, ...own.split('.').map(Number)]).toString('hex');
    const run = async () => {
      writeFileSync(go, '');
      await stage.unet.logged('guest', /finished/, 20_000);
    };
    return { id, wire, own, mac, run };
  };

  const towards = (wire: Wire, mac: string) =>
    wire
      .frames()
      .filter(
        (frame) => frame.direction === 'in' && frame.etherType === ETHERTYPE_IPV4 && frame.destinationMac === mac,
      );

  it('shows headers that the codec checks and would write octet for octet', async () => {
    const server = stage.world.start('server', ['node', stage.world.fixture('tcp-peer.mjs'), 'echo', '7000']);
    const echo = stage.world.start('server', ['node', stage.world.fixture('udp-echo.mjs'), '7001']);
    await server.output(/ready/);
    await echo.output(/ready/);
    const tcp = `node ${stage.world.fixture('tcp-client.mjs')} half-close ${ADDRESS.server} 7000 300000 | wc -c`;
    const udp = (port: string) => `node ${stage.world.fixture('udp-client.mjs')} ${ADDRESS.server} ${port} 2 3000`;
    const { wire, own, mac, run } = await guest(`ping -c1 -s 4000 ${GATEWAY}; ${tcp}; ${udp('7001')}; ${udp('7999')}`);
    await run();
    expect(await stage.unet.logs('guest')).toContain('300000\n');

    const frames = towards(wire, mac);
    const packets = frames.map(({ payload }) => decodeIpv4(payload));
    for (const [index, packet] of packets.entries()) {
      const bytes = frames[index]?.payload ?? Buffer.alloc(0);
      expect(packet.checksum).toBe(headerChecksum(bytes));
      expect(encodeIpv4(packet).equals(bytes.subarray(0, packet.length))).toBe(true);
      expect([GATEWAY, ADDRESS.server]).toContain(packet.sourceIp);
      expect(packet.destinationIp).toBe(own);
      expect(packet.ttl).toBeGreaterThan(1);
      expect(frames[index]?.sourceMac).toBe(GATEWAY_MAC);
    }
    expect(new Set(packets.map(({ protocol }) => protocol))).toEqual(new Set([ICMP, TCP, UDP]));
    const pings = packets.filter(
      ({ protocol, data }) => protocol === ICMP && data.readUInt16BE(0) !== PORT_UNREACHABLE,
    );
    expect(joined(pings)).toHaveLength(4008);

    const error = packets.find(({ protocol, data }) => protocol === ICMP && data.readUInt16BE(0) === PORT_UNREACHABLE);
    const quoted = error?.data.subarray(8) ?? Buffer.alloc(0);
    expect(quoted.length).toBeGreaterThanOrEqual(28);
    expect(headerChecksum(quoted)).toBe(quoted.readUInt16BE(10));
    expect([quoted[9], [...quoted.subarray(12, 16)].join('.'), [...quoted.subarray(16, 20)].join('.')]).toEqual([
      UDP,
      own,
      ADDRESS.server,
    ]);
    server.kill('SIGKILL');
    echo.kill('SIGKILL');
  });

  it('takes what the codec wrote, whole and in fragments of any order', async () => {
    const { wire, own, mac } = await guest('true');
    const message = echoRequest(0x1001, Buffer.alloc(2400, 'fragments '));
    const piece = (from: number, to: number) =>
      frameOf(
        mac,
        encodeIpv4({
          ...echoFields(own, message.subarray(from, to)),
          identification: 77,
          flags: to < message.length ? MORE_FRAGMENTS : 0,
          fragmentOffset: from / 8,
        }),
      );
    await wire.send(frameOf(mac, encodeIpv4(echoFields(own, echoRequest(0x1000, Buffer.from('whole'))))));
    await wire.send(piece(1600, message.length), piece(0, 800), piece(800, 1600));
    await until('both are answered', () => answered(wire, mac, 0x1000) && answered(wire, mac, 0x1001));
    const reply = joined(repliesTo(wire, mac, 0x1001));
    expect(reply.subarray(8).equals(message.subarray(8))).toBe(true);
  });

  it('shows no answer to what is wrong or in another’s name, and goes on answering', async () => {
    const { wire, own, mac } = await guest('true');
    const good = (ident: number) => encodeIpv4(echoFields(own, echoRequest(ident, Buffer.from('ping'))));
    const changed = (ident: number, change: (packet: Buffer) => void) => {
      const packet = good(ident);
      change(packet);
      return packet;
    };
    const withChecksum = (packet: Buffer) => packet.writeUInt16BE(headerChecksum(packet), 10);
    const before = await dropped();
    const wrong = [
      frameOf(
        mac,
        changed(0x2000, (packet) => packet.writeUInt16BE(packet.readUInt16BE(10) ^ 1, 10)),
      ),
      frameOf(
        mac,
        changed(0x2001, (packet) => {
          packet.writeUInt16BE(1000, 2);
          withChecksum(packet);
        }),
      ),
      frameOf(
        mac,
        changed(0x2002, (packet) => {
          packet.writeUInt16BE(19, 2);
          withChecksum(packet);
        }),
      ),
      frameOf(
        mac,
        changed(0x2003, (packet) => {
          packet[0] = 0x44;
          withChecksum(packet);
        }),
      ),
      frameOf(
        mac,
        changed(0x2004, (packet) => {
          packet[0] = 0x65;
          withChecksum(packet);
        }),
      ),
      frameOf(
        mac,
        changed(0x2005, (packet) => packet.writeUInt16BE(packet.readUInt16BE(22) ^ 1, 22)),
      ),
      frameOf(mac, encodeIpv4({ ...echoFields('172.17.0.99', echoRequest(0x2006, Buffer.from('spoofed'))) })),
      ethernet(GATEWAY_MAC, '02deadbeef00', ETHERTYPE_IPV4, good(0x2007)),
      ethernet(GATEWAY_MAC, mac, ETHERTYPE_IPV4, good(0x2008).subarray(0, 12)),
    ];
    await wire.send(...wrong);
    await wire.send(frameOf(mac, good(0x2fff)));
    await until('the last is answered', () => answered(wire, mac, 0x2fff));
    const answeredWrongly = wrong.map((_, index) => 0x2000 + index).filter((ident) => answered(wire, mac, ident));
    expect(answeredWrongly).toEqual([]);
    expect((await dropped()) - before).toBeGreaterThanOrEqual(wrong.length);
  });

  const dropped = async () => {
    const { engine } = JSON.parse(await stage.unet.ok(['daemon', 'status', '--json']));
    return Object.values(engine.drops as Record<string, number>).reduce((sum, count) => sum + count, 0);
  };

  const icmpTo = (wire: Wire, mac: string) =>
    towards(wire, mac)
      .map(({ payload }) => decodeIpv4(payload))
      .filter(({ protocol, sourceIp }) => protocol === ICMP && sourceIp === GATEWAY);

  /** All fragments of the replies under this identifier. */
  const repliesTo = (wire: Wire, mac: string, ident: number) => {
    const packets = icmpTo(wire, mac);
    const first = packets.find(
      ({ data, fragmentOffset }) => fragmentOffset === 0 && data[0] === ECHO_REPLY && data.readUInt16BE(4) === ident,
    );
    return first === undefined ? [] : packets.filter(({ identification }) => identification === first.identification);
  };

  const answered = (wire: Wire, mac: string, ident: number) => {
    const packets = repliesTo(wire, mac, ident);
    return packets.some(({ flags }) => (flags & MORE_FRAGMENTS) === 0);
  };
});

function frameOf(mac: string, packet: Buffer): Buffer {
  return ethernet(GATEWAY_MAC, mac, ETHERTYPE_IPV4, packet);
}

function echoFields(sourceIp: string, data: Buffer) {
  return { sourceIp, destinationIp: GATEWAY, protocol: ICMP, ttl: 64, data };
}

function echoRequest(ident: number, payload: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([8, 0, 0, 0, ident >> 8, ident & 255, 0, 1]), payload]);
  message.writeUInt16BE(internetChecksum(message), 2);
  return message;
}

function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2)
    sum += ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** The payload of one packet's fragments, which must lie end to end. */
function joined(fragments: readonly Ipv4Packet[]): Buffer {
  const parts = [...fragments].sort((a, b) => a.fragmentOffset - b.fragmentOffset);
  let end = 0;
  for (const part of parts) {
    expect(part.fragmentOffset * 8).toBe(end);
    expect((part.flags & MORE_FRAGMENTS) === 0).toBe(part === parts.at(-1));
    end += part.data.length;
  }
  return Buffer.concat(parts.map(({ data }) => data));
}
