import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';

describeInWorld('unet inspect', (stage) => {
  let id = '';
  const inspect = (...args: string[]) => stage.unet.run(['inspect', ...args]);
  const print = async (template: string, name = 'web') =>
    (await stage.unet.ok(['inspect', '-f', template, name])).slice(0, -1);
  const get = async (path: string, name = 'web') =>
    (await stage.unet.ok(['inspect', '--get', path, name])).slice(0, -1);

  beforeAll(async () => {
    await stage.unet.detached(['--name', 'db', '--expose', '5432'], ['sleep', '1000']);
    const options = ['-p', '9876:80', '--expose', '443', '-e', 'A=b', '-e', 'C=d e', '--link', 'db:db', '-w', '/tmp'];
    id = await stage.unet.detached(['--name', 'web', ...options], ['sleep', '1000']);
  });
  afterAll(() => stage.unet.reset());

  it('S9: inspect -f "{{ .Name }}" prints /web for the id, a prefix and the name', async () => {
    for (const ref of [id, id.slice(0, 12), 'web', '/web']) expect(await print('{{ .Name }}', ref)).toBe('/web');
  });

  it('says what is true inside', async () => {
    await stage.unet.detached(
      ['--name', 'self'],
      ['sh', '-c', 'ip -o addr show eth0; ip -o link show eth0; hostname; echo ready; sleep 1000'],
    );
    const inside = await stage.unet.logged('self', /ready/);
    expect(inside).toContain(
      ` ${await print('{{.NetworkSettings.IPAddress}}/{{.NetworkSettings.IPPrefixLen}}', 'self')} `,
    );
    expect(inside).toContain(` ${await get('NetworkSettings.Networks.bridge.MacAddress', 'self')} `);
    expect(inside).toContain(`\n${await get('Config.Hostname', 'self')}\n`);
    const { stdout } = await stage.world.run('host', ['cat', `/proc/${await get('State.Pid', 'self')}/cmdline`]);
    expect(stdout.split('\0')).toEqual(['sh', '-c', expect.stringContaining('echo ready'), '']);
    await stage.unet.ok(['rm', '-f', 'self']);
  });

  it('takes the templates that people type', async () => {
    const address = await get('NetworkSettings.IPAddress');
    const cases: [string, string][] = [
      ['{{.NetworkSettings.IPAddress}}', address],
      ['{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', address],
      ['{{range $name, $net := .NetworkSettings.Networks}}{{$name}}: {{$net.IPAddress}}{{end}}', `bridge: ${address}`],
      ['{{.NetworkSettings.Networks.bridge.IPAddress}}', address],
      ['{{(index .NetworkSettings.Networks "bridge").IPAddress}}', address],
      ['{{json .NetworkSettings.Ports}}', '{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"9876"}]}'],
      ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '9876'],
      [
        '{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{if $conf}}{{(index $conf 0).HostPort}}{{else}}-{{end}} {{end}}',
        '443/tcp -> - 80/tcp -> 9876 ',
      ],
      ['{{.State.Status}} {{.State.Running}} {{.State.ExitCode}}', 'running true 0'],
      ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
      ['{{if eq .State.Status "exited"}}gone{{else if eq .State.Status "running"}}here{{end}}', 'here'],
      ['{{join .Config.Env "\\n"}}', 'A=b\nC=d e'],
      ['{{range .Config.Env}}{{println .}}{{end}}', 'A=b\nC=d e\n'],
      ['{{len .Config.Env}} {{index .Config.Env 1}}', '2 C=d e'],
      ['{{.HostConfig.Links}}', '[/db:/web/db]'],
      ['{{json .HostConfig.Links}}', '["/db:/web/db"]'],
      ['{{.Path}} {{.Args}} {{.Config.Cmd}} {{.Config.WorkingDir}}', 'sleep [1000] [sleep 1000] /tmp'],
      ['{{printf "%.12s %s" .Id .Name}}', `${id.slice(0, 12)} /web`],
      ['{{.ID}}', id],
      ['{{truncate .Id 12}}', id.slice(0, 12)],
      ['{{ .Name | upper | printf "%-8s|" }}', '/WEB    |'],
      ['{{with .HostConfig}}{{.NetworkMode}} {{.AutoRemove}}{{end}}', 'bridge false'],
      ['{{.NetworkSettings.Networks.none}}', '<no value>'],
      ['{{range $k, $v := .Config.ExposedPorts}}{{$k}} {{end}}', '443/tcp 80/tcp '],
      ['{{- /* only the image */ -}} {{.State.FinishedAt}}', '0001-01-01T00:00:00Z'],
    ];
    for (const [template, expected] of cases) expect([template, await print(template)]).toEqual([template, expected]);
  });

  it('vector 80: a link without an alias stands as the name of both', async () => {
    await stage.unet.detached(['--name', 'link2', '--link', 'db'], ['sleep', '1000']);
    expect(await print('{{json .HostConfig.Links}}', 'link2')).toBe('["/db:/link2/db"]');
    await stage.unet.ok(['rm', '-f', 'link2']);
  });

  it('S17: finds a child by what its parent calls it', async () => {
    expect(await print('{{.Name}}', 'web/db')).toBe('/db');
    expect(await print('{{json .Unet.LinkNames}}', '/web/db')).toBe('["web/db"]');
  });

  it('vector 82: the first of a name and its link names is the name', async () => {
    expect(await print('{{.Name}} {{index .Unet.LinkNames 0}}', 'db')).toBe('/db web/db');
  });

  it('prints whole documents that are JSON', async () => {
    const whole = JSON.parse(await stage.unet.ok(['inspect', 'web', 'db']));
    expect(whole).toMatchObject([{ Id: id, Name: '/web' }, { Name: '/db' }]);
    expect(JSON.parse(await stage.unet.ok(['inspect', '--format', 'json', 'web', 'db']))).toEqual(whole);
    expect(JSON.parse(await get('HostConfig'))).toEqual(whole[0].HostConfig);
  });

  it('says what is wrong, and how', async () => {
    const missing = 'unet: error: no such object: foo\n';
    expect(await inspect('foo')).toMatchObject({ code: 1, stdout: '[]\n', stderr: missing });
    expect(await inspect('-f', '{{.Name}}', 'foo')).toMatchObject({ code: 1, stdout: '\n', stderr: missing });
    expect(await inspect('-f', '{{.Name}}', 'foo', 'web')).toMatchObject({
      code: 1,
      stdout: '/web\n',
      stderr: missing,
    });
    const bad = await inspect('-f', '{{.Name', 'web');
    expect(bad).toMatchObject({ code: 64, stdout: '' });
    expect(bad.stderr).toMatch(/^unet: template parsing error: /);
  });

  it('keeps what is left of one that ended', async () => {
    await stage.unet.detached(['--name', 'brief'], ['sh', '-c', 'exit 3']);
    await stage.unet.run(['logs', '-f', 'brief']);
    const state = JSON.parse(await get('State', 'brief'));
    expect(state).toMatchObject({ Status: 'exited', Running: false, Pid: 0, ExitCode: 3 });
    expect(Date.parse(state.FinishedAt)).toBeGreaterThanOrEqual(Date.parse(state.StartedAt));
    expect(await print('{{.NetworkSettings.IPAddress}}|{{json .NetworkSettings.Ports}}', 'brief')).toBe('|{}');
  });

  it('shows the command of one that was only made', async () => {
    await stage.unet.ok(['create', '--name', 'later', '--', 'true']);
    expect(await print('{{.State.Status}} {{.State.StartedAt}} {{.Path}}', 'later')).toBe(
      'created 0001-01-01T00:00:00Z true',
    );
  });
});
