import { describe, expect, it } from 'vitest';
import type { ContainerSummary } from '../../../src/api/types.js';
import { CONTAINER_HEADER, containerRow, statusText } from '../../../src/cli/render/container-row.js';
import { renderFacts } from '../../../src/cli/render/facts.js';
import { renderFindings, verdict } from '../../../src/cli/render/findings.js';
import { displayWidth, ellipsis, renderTable } from '../../../src/cli/render/table.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');

function container(overrides: Partial<ContainerSummary> = {}): ContainerSummary {
  return {
    id: 'aed84ee21bde'.padEnd(64, '0'),
    name: 'web',
    names: [overrides.name ?? 'web'],
    command: ['sh', '-c', 'echo hello world'],
    status: 'running',
    createdAt: '2026-01-01T12:00:00Z',
    startedAt: '2026-01-01T23:58:50Z',
    finishedAt: null,
    exitCode: null,
    pid: 1,
    hostname: 'aed84ee21bde',
    address: '172.17.0.2',
    mac: '02:42:ac:11:00:02',
    network: 'bridge',
    mtu: 1500,
    ports: [{ hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
    exposed: [],
    autoRemove: false,
    device: 'vnet-gso',
    ...overrides,
  };
}

describe('the table of ps', () => {
  it('stands as Docker prints it', () => {
    const rows = [container(), container({ name: 'db', command: ['top'], ports: [], status: 'created' })];
    expect(
      renderTable(
        CONTAINER_HEADER,
        rows.map((row) => containerRow(row, NOW, true)),
      ),
    ).toBe(
      [
        'CONTAINER ID   IMAGE     COMMAND                  CREATED        STATUS              PORTS                  NAMES',
        `aed84ee21bde   -         "sh -c 'echo hello w…"   12 hours ago   Up About a minute   0.0.0.0:8080->80/tcp   web`,
        'aed84ee21bde   -         "top"                    12 hours ago   Created                                    db',
        '',
      ].join('\n'),
    );
  });

  it('has its header when there is nothing', () => {
    expect(renderTable(CONTAINER_HEADER, [])).toBe(
      'CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n',
    );
  });

  it('shortens nothing with --no-trunc', () => {
    const row = containerRow(container(), NOW, false);
    expect(row[0]).toHaveLength(64);
    expect(row[2]).toBe(`"sh -c 'echo hello world'"`);
  });

  it('lets no command move the cursor', () => {
    const [, , command] = containerRow(container({ command: ['a\u001b[2J\n"\\\u0000\u0085é\u200b'] }), NOW, false);
    expect(command).toBe('"a\\x1b[2J\\n\\"\\\\\\x00\\u0085é\\u200b"');
  });

  it.each([
    [{ status: 'running' }, 'Up About a minute'],
    [{ status: 'created' }, 'Created'],
    [{ status: 'exited', exitCode: 3, finishedAt: '2026-01-01T00:00:00Z' }, 'Exited (3) 24 hours ago'],
    [{ status: 'running', startedAt: '2026-01-03T00:00:00Z' }, 'Up Less than a second'],
  ] as const)('says %j as %s', (overrides, expected) => {
    expect(statusText(container(overrides), NOW)).toBe(expected);
  });
});

describe('text on a terminal', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['e\u0301', 1],
    ['😀', 2],
  ])('%s is %d cells wide', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['日本語', 4, '日…'],
  ])('%s in %d cells is %s', (text, cells, expected) => {
    expect(ellipsis(text, cells)).toBe(expected);
  });

  it('aligns facts', () => {
    expect(
      renderFacts([
        ['A', '1'],
        ['Long', '2'],
      ]),
    ).toBe('A:    1\nLong: 2\n');
  });
});

describe('findings', () => {
  const finding = (grade: 'ok' | 'warn' | 'fail', fix: string | null = null) => ({
    id: 'x',
    title: 'TUN',
    grade,
    detail: 'd',
    fix,
  });

  it('say what to do where there is something to do', () => {
    expect(renderFindings([finding('ok'), finding('ok', 'f'), finding('fail', 'g')])).toBe(
      'ok    TUN: d\nok    TUN: d\n      hint: f\nFAIL  TUN: d\n      fix: g\n',
    );
  });

  it.each([
    [[finding('ok')], /everything unet needs is here/],
    [[finding('ok'), finding('warn')], /can be started here/],
    [[finding('warn'), finding('fail')], /cannot be started/],
  ])('end with a verdict', (findings, expected) => {
    expect(verdict(findings)).toMatch(expected);
  });
});
