import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Background, runToEnd, startBackground } from '../measure/process.js';
import { startUpstream } from './dns-upstream.js';
import type { Path, Peer } from './peer.js';
import { veth } from './veth.js';

/** Where the peers' own server outside listens, in their namespace. */
export const UPSTREAM_PORT = 5300;
/** Both stand for a container's name and its address. */
export const LOCAL_NAME = 'db';
export const LOCAL_ADDRESS = '172.17.0.3';
const READY_TRIES = 100;
const TRY_MS = 3000;

interface DnsServer {
  readonly name: string;
  /** The command line of a server in the foreground that listens on this address; files of its own go into the directory. */
  argv(address: string, directory: string): readonly string[];
}

/** A DNS server in a network namespace of its own, asked from another over a veth: how a guest asks it with a rootful bridge. */
export function dnsPeer({ name, argv }: DnsServer): Peer {
  return {
    name,
    kind: 'peer',
    mtus: [1500],
    async start(options): Promise<Path> {
      const path = await veth.start(options);
      const directory = mkdtempSync(join(tmpdir(), 'unet-bench-dns-'));
      const running: Background[] = [];
      const close = async () => {
        for (const one of running) await one.end();
        await path.close();
        rmSync(directory, { recursive: true, force: true });
      };
      try {
        running.push(await startUpstream(path.outside, UPSTREAM_PORT));
        const server = await startBackground([...path.outside, ...argv(path.serverAddress, directory)]);
        running.push(server);
        await untilAnswers(path, server);
        return { ...path, processes: [server.pid], close };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

async function untilAnswers({ inside, serverAddress }: Path, server: Background): Promise<void> {
  for (let tries = 0; tries < READY_TRIES && server.alive(); tries++) {
    const asked = [...inside, process.execPath, '-e', ASK, serverAddress, LOCAL_NAME];
    if ((await runToEnd(asked, { timeoutMs: TRY_MS })).status === 0) return;
  }
  throw new Error(`it does not answer: ${server.output().trim().split('\n').at(-1) ?? ''}`);
}

const ASK = `
const [server, name] = process.argv.slice(1);
const resolver = new (require('node:dns').promises.Resolver)({ timeout: 300, tries: 1 });
resolver.setServers([server]);
resolver.resolve4(name).then(() => process.exit(0), () => process.exit(1));`;
