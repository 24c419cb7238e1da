import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { programs } from '../harness/programs.js';
import type { Running } from '../harness/running.js';

const ARCHIVE = 'packages.test';
/** Compressed or not, more than one window of TCP. */
const PAYLOAD_BYTES = 2_000_000;

/**
 * The seed's `apt-get install -yqq inetutils-ping`, from an archive of our own that stands far away: names, TCP connections kept
 * alive, and several files of it. The package goes into a directory, since a container without a root of its own has the
 * machine's /usr, which an ordinary user cannot write.
 */
describeInWorld('a package manager inside', (stage) => {
  const { need } = programs(stage);
  const running: Running[] = [];
  const place = (...names: string[]) => join(stage.world.directory, 'home', ...names);
  const shell = async (script: string) => {
    const { code, stdout, stderr } = await stage.world.run('host', ['sh', '-ec', script]);
    expect(code, stdout + stderr).toBe(0);
  };

  beforeEach((context) => {
    need(context, 'apt-get', 'dpkg-deb', 'python3');
  });

  beforeAll(async () => {
    const control = (name: string, depends: string) =>
      `Package: ${name}\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.test>\n${depends}Description: of the tests\n`;
    for (const name of ['greeting', 'greeting-data']) mkdirSync(place('build', name, 'DEBIAN'), { recursive: true });
    mkdirSync(place('build', 'greeting', 'usr', 'bin'), { recursive: true });
    mkdirSync(place('build', 'greeting-data', 'usr', 'share'), { recursive: true });
    writeFileSync(place('build', 'greeting', 'DEBIAN', 'control'), control('greeting', 'Depends: greeting-data\n'));
    writeFileSync(place('build', 'greeting-data', 'DEBIAN', 'control'), control('greeting-data', ''));
    writeFileSync(place('build', 'greeting', 'usr', 'bin', 'greeting'), '#!/bin/sh\necho hello, installed\n', {
      mode: 0o755,
    });
    writeFileSync(place('build', 'greeting-data', 'usr', 'share', 'greeting'), Buffer.alloc(PAYLOAD_BYTES, 'payload '));
    await makeArchive();
    await makeAptHome();
    running.push(
      stage.world.start('server', [
        'node',
        stage.world.fixture('dns-server.mjs'),
        ADDRESS.server,
        `${ARCHIVE}=${ADDRESS.server}`,
      ]),
    );
    await running[0]?.output(/ready/);
    const server = stage.world.start('server', [
      'python3',
      '-u',
      '-m',
      'http.server',
      '80',
      '--directory',
      place('archive'),
    ]);
    await server.output(/Serving HTTP/);
    running.push(server);
  });

  afterAll(() => {
    for (const program of running) program.kill('SIGKILL');
  });

  it('S33: apt-get update and install work inside', async () => {
    const apt = `APT_CONFIG=${place('apt', 'apt.conf')} apt-get`;
    const script = `id -u; ${apt} -q update && ${apt} install -yqq greeting && ${place('root', 'usr', 'bin', 'greeting')}`;
    const { code, stdout, stderr } = await stage.unet.run(['run', '--rm', '--user', 'root', '--', 'sh', '-c', script]);
    expect({ code, output: stdout + stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^0\n/);
    expect(stdout).toMatch(/Setting up greeting \(1\.0\)/);
    expect(stdout).toMatch(/\nhello, installed\n$/);
    await shell(
      `cmp ${place('build', 'greeting-data', 'usr', 'share', 'greeting')} ${place('root', 'usr', 'share', 'greeting')}`,
    );
    expect(running[1]?.stderr).toMatch(new RegExp(`^${ADDRESS.host} .*"GET /\\./greeting-data_1\\.0_all\\.deb`, 'm'));
  });

  /** A flat archive: the packages, and a list of them with their sums. */
  async function makeArchive(): Promise<void> {
    const list = `for deb in *.deb; do
      dpkg-deb --field $deb
      echo "Filename: ./$deb"; echo "Size: $(stat -c %s $deb)"; echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; echo
    done > Packages`;
    const build = 'for name in greeting greeting-data; do dpkg-deb --root-owner-group --build $name ../archive; done';
    await shell(`mkdir -p ${place('archive')}; cd ${place('build')}; ${build}; cd ../archive; ${list}`);
  }

  /** What apt and dpkg keep, in directories of our own; nothing of the machine's is read. */
  async function makeAptHome(): Promise<void> {
    const dirs = ['apt/etc', 'apt/state/lists/partial', 'apt/cache/archives/partial', 'apt/log'];
    const dpkg = ['dpkg/info', 'dpkg/updates', 'dpkg/triggers', 'root'];
    await shell(`cd ${place()}; mkdir -p ${[...dirs, ...dpkg].join(' ')}; touch dpkg/status`);
    const conf = `Dir::Etc "${place('apt', 'etc')}";
Dir::State "${place('apt', 'state')}";
Dir::State::status "${place('dpkg', 'status')}";
Dir::Cache "${place('apt', 'cache')}";
Dir::Log "${place('apt', 'log')}";
// One uid is mapped: there is nobody to step down to.
APT::Sandbox::User "root";
DPkg::Options { "--instdir=${place('root')}"; "--admindir=${place('dpkg')}"; "--log=${place('apt', 'log', 'dpkg.log')}"; };
DPkg::Use-Pty "false";
`;
    writeFileSync(place('apt', 'apt.conf'), conf);
    writeFileSync(place('apt', 'etc', 'sources.list'), `deb [trusted=yes] http://${ARCHIVE} ./\n`);
  }
});
