import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { SEGMENTS_WITHOUT_OFFLOAD } from '../harness/kernel.js';
import { ADDRESS, type Place } from '../harness/layout.js';
import { patient, share } from '../harness/patience.js';

const LONG_MS = patient(120_000);
const BURSTS = share(128);

describeInWorld('datagrams', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const burst = (...args: string[]) => ['python3', stage.world.fixture('udp-burst.py'), ...args];
  const meet = (...args: string[]) => ['node', stage.world.fixture('udp-meet.mjs'), ...args];

  /** Every byte there and back, asked by `client`; the server's account and the client's must agree. */
  const compare = (asked: string, served: string) => {
    const { bursts, hash, resent } = JSON.parse(asked);
    expect(served).toContain(`served ${bursts} ${hash}`);
    // A socket may overflow on a busy machine; it must not be the rule.
    expect(resent).toBeLessThan(bursts / 4);
  };

  const mannerFor = (manner: string, isPlain: boolean) =>
    manner === 'segment' && isPlain && !SEGMENTS_WITHOUT_OFFLOAD ? 'plain' : manner;

  it.each([
    ['plain', 'plain'],
    ['segment', 'segment'],
  ])(
    'come and go whole and in order: %s',
    async (manner, answer) => {
      const server = stage.world.start('server', burst('serve', '7100', answer));
      await server.output(/ready/);
      // The last is larger than the MTU: it cannot be cut by the kernel, and goes in fragments.
      for (const size of manner === 'segment' ? ['1200', '1472', '100'] : ['1200', '1472', '100', '2000']) {
        for (const offload of ['auto', 'off']) {
          const kind = mannerFor(manner, offload === 'off');
          const ask = burst('ask', ADDRESS.server, '7100', String(BURSTS), size, kind);
          const options = ['run', '--rm', ...(offload === 'off' ? ['--offload', 'off'] : [])];
          const from = server.stdout.length;
          const asked = await stage.unet.ok([...options, '--', ...ask], { timeoutMs: LONG_MS });
          compare(asked, server.stdout.slice(from));
        }
      }
      server.kill('SIGKILL');
    },
    2 * LONG_MS,
  );

  it(
    'come in by a published port and answer from it',
    async () => {
      for (const manner of ['plain', 'segment']) {
        await stage.unet.detached(['--name', manner, '-p', '8100:7100/udp'], burst('serve', '7100', manner));
        await stage.unet.logged(manner, /ready/);
        const places: [Place, string][] = [
          ['server', ADDRESS.host],
          ['host', '127.0.0.1'],
        ];
        for (const [place, host] of places) {
          const argv = burst('ask', host, '8100', String(BURSTS), '1200', manner);
          const { stdout, stderr } = await stage.world.run(place, argv, { timeoutMs: LONG_MS });
          expect(stderr).toBe('');
          compare(stdout, await stage.unet.logs(manner));
        }
        await stage.unet.ok(['rm', '-f', manner]);
      }
    },
    2 * LONG_MS,
  );

  it(
    'go from guest to guest, cut where the other cannot take them whole',
    async () => {
      for (const options of [[], ['--offload', 'off']]) {
        const manner = mannerFor('segment', options.length > 0);
        await stage.unet.detached(['--name', 'echo', ...options], burst('serve', '7100', manner));
        await stage.unet.logged('echo', /ready/);
        const ask = burst('ask', 'echo', '7100', String(BURSTS), '1200', 'segment');
        const asked = await stage.unet.ok(['run', '--rm', '--', ...ask], { timeoutMs: LONG_MS });
        compare(asked, await stage.unet.logs('echo'));
        await stage.unet.ok(['rm', '-f', 'echo']);
      }
    },
    2 * LONG_MS,
  );

  it('leave a socket by one port whomever they go to, and find a peer behind another NAT', async () => {
    const places = [ADDRESS.server, ADDRESS.serverSecond];
    const server = stage.world.start('server', meet('rendezvous', '7200', ...places));
    await server.output(/ready.*\nready/);
    const [left, right] = await Promise.all(
      [
        ['left', 'right'],
        ['right', 'left'],
      ].map(async ([who = '', peer = '']) =>
        JSON.parse(await stage.unet.ok(['run', '--rm', '--', ...meet('meet', who, peer, '7200', ...places)])),
      ),
    );
    for (const [own, other, name] of [
      [left, right, 'right'],
      [right, left, 'left'],
    ]) {
      expect(new Set(own.seen).size).toBe(1);
      expect(own.seen[0]).toMatch(new RegExp(`^${ADDRESS.host}:\\d+$`));
      expect(own).toMatchObject({ heard: name, from: other.seen[0] });
    }
    server.kill('SIGKILL');
  });

  it('are answered by whom they went to, from whatever port', async () => {
    const server = stage.world.start('server', meet('surprise', '7300', ADDRESS.server));
    await server.output(/ready/);
    // An unconnected socket, as TFTP's clients have.
    const script = [
      'import socket',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      's.settimeout(5)',
      `s.sendto(b"x", ("${ADDRESS.server}", 7300))`,
      'data, sender = s.recvfrom(10)',
      'print(data.decode(), sender[0], sender[1] != 7300)',
    ].join('\n');
    expect(await stage.unet.ok(['run', '--rm', '--', 'python3', '-c', script])).toBe(`x ${ADDRESS.server} True\n`);
    server.kill('SIGKILL');
  });
});
