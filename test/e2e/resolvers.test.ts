import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { programs } from '../harness/programs.js';
import type { Running } from '../harness/running.js';
import { Session } from '../harness/session.js';

interface Program {
  readonly title: string;
  /** What must be installed. */
  readonly needs: readonly string[];
  /** A script that prints the IPv4 address of a name, or ends with another status than 0. */
  ask(name: string): string;
}

const NODE = (call: string) => `node -e "${call}" 2>&1`;
const PROGRAMS: readonly Program[] = [
  {
    title: 'getent (glibc)',
    needs: ['getent'],
    ask: (name) => `getent ahostsv4 ${name} | head -n 1 | cut -d' ' -f1`,
  },
  {
    title: 'getent, both families',
    needs: ['getent'],
    ask: (name) => `getent ahosts ${name} | head -n 1 | cut -d' ' -f1`,
  },
  { title: 'dig', needs: ['dig'], ask: (name) => `dig +short +tries=1 ${name} A` },
  { title: 'dig by TCP', needs: ['dig'], ask: (name) => `dig +tcp +short +tries=1 ${name} A` },
  { title: 'nslookup', needs: ['nslookup'], ask: (name) => `nslookup ${name} | sed -n '4,$s/^Address: //p'` },
  {
    title: 'Node.js, dns.lookup',
    needs: ['node'],
    ask: (name) => NODE(`require('dns').lookup('${name}',(e,a)=>console.log(e?e.code:a))`),
  },
  {
    title: 'Node.js, dns.resolve4 (c-ares)',
    needs: ['node'],
    ask: (name) => NODE(`require('dns').resolve4('${name}',(e,a)=>console.log(e?e.code:a.join()))`),
  },
  {
    title: 'Python',
    needs: ['python3'],
    ask: (name) => `python3 -c "import socket; print(*{i[4][0] for i in socket.getaddrinfo('${name}', 80)})"`,
  },
  {
    title: 'busybox nslookup, static',
    needs: ['busybox'],
    ask: (name) => `busybox nslookup ${name} | sed -n '3,$s/^Address[ 0-9]*: \\([0-9.]*\\).*/\\1/p'`,
  },
  { title: 'a static program of musl', needs: ['musl-gcc'], ask: (name) => `"$TMPDIR/lookup" ${name}` },
];

describeInWorld('every resolver finds its way', (stage) => {
  const { need } = programs(stage);
  let server: Running;
  let inside: Session;
  let database = '';

  beforeAll(async () => {
    const lookup = ['musl-gcc', '-static', '-o', join(stage.world.directory, 'tmp', 'lookup')];
    // Without the compiler only its own tests have something to say.
    await stage.world.run('host', [...lookup, stage.world.fixture('lookup.c')]).catch(() => {});
    server = stage.world.start('server', ['node', stage.world.fixture('dns-server.mjs'), ADDRESS.server]);
    await server.output(/ready/);
    await stage.unet.detached(['--name', 'Db'], ['sleep', '1000']);
    const options = ['--link-wait', '0', '--link', 'Db:Store', '--dns-search', 'corp.test'];
    inside = await Session.open(stage.unet, ['--rm', ...options]);
    database = await inside.ask("grep -P '\\tStore ' /etc/hosts | cut -f1");
  });

  afterAll(async () => {
    await inside?.leave();
    server.kill('SIGKILL');
  });

  describe.for(PROGRAMS)('$title', ({ needs, ask }) => {
    it.for([
      ['a name', 'db'],
      ['a name in other letters', 'DB'],
      ['a name with its network', 'db.bridge'],
      ['an alias', 'store'],
      ['an alias under the search domain', 'store.corp.test'],
      ['a name with a final dot', 'db.'],
    ] as const)('%s: %s', async ([, name], context) => {
      need(context, ...needs);
      expect(await inside.ask(ask(name))).toBe(database);
    });

    it('an outside name: outside.test', async (context) => {
      need(context, ...needs);
      expect(await inside.ask(ask('outside.test'))).toBe(ADDRESS.server);
    });

    it('a name that nobody has: none.test', async (context) => {
      need(context, ...needs);
      expect(await inside.ask(ask('none.test'))).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
    });
  });

  it('asks nobody outside for names of containers', () => {
    expect(server.stdout).toMatch(/^outside\.test 1 by udp$/m);
    expect(server.stdout).not.toMatch(/^(db|store)\b/m);
  });
});
