import { expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { until } from '../harness/world.js';

const CTRL_C = '\u0003';
const CTRL_Z = '\u001a';
const CTRL_BACKSLASH = '\u001c';
/** A shell that says so and has its prompt back: what is typed while it takes the terminal over may be lost, as for a person. */
const stopped = [{ wait: 'Stopped' }, { wait: '$ ' }, { sleep: 0.3 }];

describeInWorld('a command at a terminal', (stage) => {
  /** What a person would see and the status that the shell would get. */
  const atTerminal = async (steps: readonly object[], argv: readonly string[]) => {
    const command = ['python3', stage.world.fixture('at-terminal.py'), JSON.stringify(steps), ...argv];
    const { code, stdout } = await stage.world.run('host', command);
    if (code === 99) throw new Error(stdout);
    const [, screen = '', exit = ''] = /^([\s\S]*)\nexit (-?\d+)\n$/.exec(stdout) ?? [];
    return { screen: screen.replaceAll('\r', ''), exit: Number(exit) };
  };
  const unet = (...args: string[]) => stage.unet.argv('run', '--rm', '--', ...args);

  it('has the terminal of the caller', async () => {
    const { screen, exit } = await atTerminal(
      [],
      unet('sh', '-c', 'test -t 0 && test -t 1 && test -t 2 && echo all three'),
    );
    expect(screen).toContain('all three');
    expect(exit).toBe(0);
  });

  it('ends by Ctrl-C as it would without unet, and nothing is left', async () => {
    const { exit } = await atTerminal(
      [{ wait: 'ready' }, { sleep: 0.3 }, { type: CTRL_C }],
      unet('sh', '-c', 'echo ready; sleep 100'),
    );
    expect(exit).toBe(130);
    await until('it is gone', () => stage.world.processes().every(({ command }) => command.includes('daemon.mjs')));
  });

  it('gets one Ctrl-C for one keypress, and decides itself what it means', async () => {
    const script =
      'n=0; trap "n=\\$((n+1)); echo caught \\$n" INT; echo ready; while [ $n -lt 2 ]; do sleep 0.1; done; sleep 0.5; echo total $n; exit 6';
    const steps = [
      { wait: 'ready' },
      { type: CTRL_C },
      { wait: 'caught 1' },
      { sleep: 0.5 },
      { type: CTRL_C },
      { wait: 'total' },
    ];
    const { screen, exit } = await atTerminal(steps, unet('bash', '-c', script));
    expect(screen).toContain('total 2');
    expect(screen).not.toContain('caught 3');
    expect(exit).toBe(6);
  });

  it('ends by Ctrl-\\ too', async () => {
    const { exit } = await atTerminal(
      [{ wait: 'ready' }, { sleep: 0.3 }, { type: CTRL_BACKSLASH }],
      unet('sh', '-c', 'echo ready; sleep 100'),
    );
    expect(exit).toBe(131);
  });

  it('stops by Ctrl-Z in a shell and comes back by fg', async () => {
    const line = `${unet('sh', '-c', '"echo ready; read x; echo got \\$x"').join(' ')}\n`;
    const steps = [
      { wait: '$' },
      { type: line },
      { wait: 'ready\r\n' },
      { type: CTRL_Z },
      ...stopped,
      { type: 'fg\n' },
      { sleep: 0.5 },
      { type: 'word\n' },
      { wait: 'got word' },
      { type: 'exit\n' },
    ];
    const { screen } = await atTerminal(steps, ['bash', '--norc', '--noprofile', '-i']);
    expect(screen).toContain('got word');
  });

  it('follows the size of the window', async () => {
    const script = 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.1; done';
    const { screen } = await atTerminal(
      [{ wait: 'ready' }, { size: [33, 99] }, { wait: '33 99' }],
      unet('bash', '-c', script),
    );
    expect(screen).toContain('33 99');
  });

  it('runs an interactive shell with job control, and gives the terminal back', async () => {
    const outer = `${unet('bash', '--norc', '--noprofile', '-i').join(' ')}; echo back with $?\n`;
    const steps = [
      { wait: '$' },
      { type: outer },
      { sleep: 1 },
      { type: 'echo inside $((40+2))\n' },
      { wait: 'inside 42' },
      { type: 'sleep 100\n' },
      { sleep: 0.3 },
      { type: CTRL_Z },
      ...stopped,
      { type: 'kill -9 %1; sleep 0.3; exit 3\n' },
      { wait: 'back with 3' },
      { type: 'echo alive; exit\n' },
      { wait: 'alive' },
    ];
    const { screen } = await atTerminal(steps, ['bash', '--norc', '--noprofile', '-i']);
    expect(screen).toContain('back with 3');
  });
});
