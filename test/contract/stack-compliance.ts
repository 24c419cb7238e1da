import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaunchSpec } from '../../src/model/launch-spec.js';
import { AnswerBatch, ARENA_BYTES, type GuestReply, readDns } from '../../src/native/dns-seam.js';
import type { EndpointSpec, NativeModule, PublishSpec, Stack, StackEvent } from '../../src/native/stack.js';
import { until } from '../fixtures/until.js';

/** One implementation of the engine, and something that plays its launcher. */
export interface Subject {
  readonly native: NativeModule;
  /** Redeems a ticket with a guest that sleeps. Resolves with the launcher's status when it has ended. */
  launch(stack: Stack, spec: LaunchSpec): Promise<number>;
}

const NETWORK = {
  id: 'bridge',
  subnet: '172.17.0.0/16',
  gateway: '172.17.0.1',
  gatewayMac: '02:42:ac:11:00:01',
  mtu: 1500,
};
const ID = 'a1'.repeat(32);
const EVENT_MILLISECONDS = 5000;

const ENDPOINT: EndpointSpec = {
  id: ID,
  network: 'bridge',
  ticket: 'f0'.repeat(32),
  address: '172.17.0.2',
  mac: '02:42:ac:11:00:02',
  mtu: 1500,
  hostAccessAll: false,
  hostAccessPorts: [],
};

const FAULT = { loss: 0.01, duplicate: 0, reorder: 0, delayUs: 1000, jitterUs: 500, rateBits: 64_000 };

/** What every implementation of `Stack` promises; the fake of the unit tests as well as the addon. */
export function describeStack(name: string, subject: Subject): void {
  describe(name, () => {
    let directory: string;
    let stack: Stack;
    let seen: StackEvent[];
    let wake: () => void;

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'unet-stack-'));
      seen = [];
      wake = () => {};
      stack = new subject.native.Stack({ handoffSocket: join(directory, 'handoff.sock') }, () => {
        seen.push(...drain());
        wake();
      });
    });
    afterEach(() => {
      stack.close();
      rmSync(directory, { recursive: true });
    });

    function drain(): StackEvent[] {
      const events: StackEvent[] = [];
      for (;;) {
        const batch = stack.drainEvents(2);
        expect(batch.length).toBeLessThanOrEqual(2);
        if (batch.length === 0) return events;
        events.push(...batch);
      }
    }

    async function nextEvent(kind: StackEvent['kind']): Promise<StackEvent> {
      const deadline = Date.now() + EVENT_MILLISECONDS;
      for (;;) {
        const index = seen.findIndex((event) => event.kind === kind);
        if (index >= 0) return seen.splice(0, index + 1)[index] as StackEvent;
        if (Date.now() > deadline) throw new Error(`no event ${kind}; seen: ${seen.map((event) => event.kind)}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 50);
        });
      }
    }

    function expectEndpoint(overrides: Partial<EndpointSpec> = {}): void {
      stack.addNetwork(NETWORK);
      stack.expectEndpoint({ ...ENDPOINT, ...overrides });
    }

    const published = (hostPort: number, overrides: Partial<PublishSpec> = {}): PublishSpec => {
      return { endpoint: ID, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, guestPort: 80, ...overrides };
    };

    const code = (expected: string) => expect.objectContaining({ code: expected });

    describe('networks and endpoints', () => {
      it('are known once, and by name only', () => {
        stack.addNetwork(NETWORK);
        expect(() => stack.addNetwork(NETWORK)).toThrow(code('EEXIST'));
        expect(() => stack.removeNetwork('other')).toThrow(code('ENOENT'));
        expect(() => stack.expectEndpoint({ ...ENDPOINT, network: 'other' })).toThrow(code('ENOENT'));
        stack.expectEndpoint(ENDPOINT);
        expect(() => stack.expectEndpoint(ENDPOINT)).toThrow(code('EEXIST'));
      });

      it('can be dropped twice, and expected again', () => {
        expectEndpoint();
        stack.dropEndpoint(ID);
        stack.dropEndpoint(ID);
        stack.expectEndpoint(ENDPOINT);
      });

      it.each(['release', 'abort', 'signalGuest', 'publish', 'setFaults'] as const)(
        '%s knows no endpoint that was not expected',
        (method) => {
          const act = {
            release: () => stack.release(ID),
            abort: () => stack.abort(ID, 'no'),
            signalGuest: () => stack.signalGuest(ID, 15),
            publish: () => stack.publish(published(0)),
            setFaults: () => stack.setFaults(ID, { egress: FAULT, ingress: null }),
          };
          expect(act[method]).toThrow(code('ENOENT'));
        },
      );

      it('stand in the snapshot', () => {
        expectEndpoint();
        const { endpoints, counters, drops, flows } = stack.snapshot();
        expect(endpoints).toMatchObject([
          { id: ID, address: '172.17.0.2', attached: false, device: null, rxFrames: 0, flows: 0 },
        ]);
        expect([typeof counters, typeof drops, flows]).toEqual(['object', 'object', 0]);
      });

      it('give no events by themselves', () => {
        expectEndpoint();
        expect(stack.drainEvents(16)).toEqual([]);
      });
    });

    describe('faults', () => {
      const other = {
        ...ENDPOINT,
        id: 'b2'.repeat(32),
        ticket: 'f1'.repeat(32),
        address: '172.17.0.3',
        mac: '02:42:ac:11:00:03',
      };

      it('are taken with an endpoint, later, and back', () => {
        expectEndpoint({ faults: { egress: FAULT, ingress: null } });
        stack.setFaults(ID, { egress: null, ingress: FAULT });
        stack.setFaults(ID, { egress: null, ingress: null });
      });

      it('are made between two that are known', () => {
        expectEndpoint();
        const cut = { ...FAULT, loss: 1 };
        expect(() => stack.setFaultsBetween(ID, other.id, { egress: cut, ingress: null })).toThrow(code('ENOENT'));
        stack.expectEndpoint(other);
        stack.setFaultsBetween(ID, other.id, { egress: cut, ingress: null });
        stack.setFaultsBetween(other.id, ID, { egress: null, ingress: null });
        expect(() => stack.setFaultsBetween(ID, ID, { egress: cut, ingress: cut })).toThrow(code('EINVAL'));
        stack.dropEndpoint(other.id);
        expect(() => stack.setFaultsBetween(other.id, ID, { egress: cut, ingress: cut })).toThrow(code('ENOENT'));
      });

      it.each([
        { loss: 1.1 },
        { duplicate: -1 },
        { reorder: Number.NaN },
        { delayUs: 60_000_001 },
        { jitterUs: FAULT.delayUs + 1 },
        { rateBits: -1 },
      ])('have ranges: %j', (wrong) => {
        expectEndpoint();
        const spec = { egress: null, ingress: { ...FAULT, ...wrong } };
        expect(() => stack.setFaults(ID, spec)).toThrow(code('EINVAL'));
        stack.expectEndpoint(other);
        expect(() => stack.setFaultsBetween(ID, other.id, spec)).toThrow(code('EINVAL'));
        expect(() => stack.expectEndpoint({ ...other, id: 'c3'.repeat(32), faults: spec })).toThrow(code('EINVAL'));
      });
    });

    describe('publishing', () => {
      beforeEach(() => expectEndpoint());

      it('binds the port that is asked for, and says which it became', () => {
        const chosen = stack.publish(published(0));
        expect(chosen).toBeGreaterThan(0);
        stack.unpublish(published(chosen));
        expect(stack.publish(published(chosen))).toBe(chosen);
      });

      it('keeps protocols apart, and says that a port is taken', () => {
        const chosen = stack.publish(published(0));
        expect(stack.publish(published(chosen, { protocol: 'udp' }))).toBe(chosen);
        expect(() => stack.publish(published(chosen))).toThrow(code('EADDRINUSE'));
        expect(() => stack.publish(published(chosen, { hostAddress: '0.0.0.0' }))).toThrow(code('EADDRINUSE'));
      });

      it('says that a stranger has the port', async () => {
        const stranger = createServer();
        await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
        const { port } = stranger.address() as { port: number };
        expect(() => stack.publish(published(port))).toThrow(code('EADDRINUSE'));
        stranger.close();
      });

      it('says that the host has no such address', () => {
        expect(() => stack.publish(published(0, { hostAddress: '192.0.2.1' }))).toThrow(code('EADDRNOTAVAIL'));
      });

      it('ends with the endpoint', () => {
        const chosen = stack.publish(published(0));
        stack.dropEndpoint(ID);
        stack.expectEndpoint(ENDPOINT);
        expect(stack.publish(published(chosen))).toBe(chosen);
      });
    });

    describe('a guest', () => {
      it('arrives, starts at "go", takes a signal and leaves', async () => {
        expectEndpoint();
        const ended = subject.launch(stack, launchSpec(directory));
        expect(await nextEvent('attached')).toMatchObject({
          endpoint: ID,
          running: false,
          pid: expect.any(Number),
          device: expect.any(String),
        });
        expect(stack.snapshot().endpoints).toMatchObject([{ id: ID, attached: true }]);
        stack.release(ID);
        expect(await nextEvent('started')).toMatchObject({
          endpoint: ID,
          pid: expect.any(Number),
          exitCode: null,
          message: null,
        });
        stack.signalGuest(ID, 15);
        expect(await nextEvent('exited')).toMatchObject({ endpoint: ID, exitCode: 143, signal: 15 });
        expect(await nextEvent('detached')).toMatchObject({ endpoint: ID });
        expect(await ended).toBe(143);
        expect(stack.snapshot().endpoints).toMatchObject([{ id: ID, attached: false }]);
      });

      it('is sent away with 125', async () => {
        expectEndpoint();
        const ended = subject.launch(stack, launchSpec(directory));
        await nextEvent('attached');
        stack.abort(ID, 'not today');
        stack.dropEndpoint(ID);
        expect(await ended).toBe(125);
      });
    });

    describe('the DNS service', () => {
      const arena = Buffer.alloc(ARENA_BYTES);

      it('has nothing to tell by itself', () => {
        expectEndpoint();
        expect(stack.drainDns(arena, 16)).toBe(0);
      });

      it('takes answers that nobody waits for', () => {
        expectEndpoint();
        const batch = new AnswerBatch((records, length) => stack.answerDns(records, length));
        batch.add(1, null);
        batch.add(2, Buffer.from('late'));
        batch.flush();
        stack.snapshot();
      });

      it('says that a guest that is not there answers nothing', async () => {
        expectEndpoint();
        const query = stack.askGuest('bridge', '172.17.9.9', Buffer.alloc(17, 1));
        const replies: GuestReply[] = [];
        await until(() => {
          const length = stack.drainDns(arena, 16);
          readDns(arena, length, { onQuestion: () => {}, onReply: (reply) => replies.push(reply) });
          return replies.length > 0;
        });
        expect(replies).toEqual([{ query, message: null }]);
      });
    });

    describe('the end', () => {
      it('refuses every call from then on', () => {
        expectEndpoint();
        stack.close();
        stack.close();
        const calls = [
          () => stack.addNetwork(NETWORK),
          () => stack.expectEndpoint(ENDPOINT),
          () => stack.release(ID),
          () => stack.publish(published(0)),
          () => stack.snapshot(),
          () => stack.answerDns(Buffer.alloc(16), 16),
          () => stack.askGuest('bridge', '172.17.0.2', Buffer.alloc(17)),
          () => stack.setFaults(ID, { egress: null, ingress: null }),
        ];
        for (const call of calls) expect(call).toThrow(code('ESTOPPED'));
      });

      it('leaves the hand-over socket to a successor', () => {
        stack.close();
        stack = new subject.native.Stack({ handoffSocket: join(directory, 'handoff.sock') }, () => {});
        stack.addNetwork(NETWORK);
      });
    });

    describe('locks', () => {
      it('are held by one, until they are let go', () => {
        const path = join(directory, 'lock');
        const first = subject.native.lockFile(path);
        expect(first).not.toBeNull();
        expect(subject.native.lockFile(path)).toBeNull();
        first?.release();
        const second = subject.native.lockFile(path);
        expect(second).not.toBeNull();
        second?.release();
      });
    });
  });
}

function launchSpec(directory: string): LaunchSpec {
  const etc = {
    hosts: join(directory, 'hosts'),
    hostname: join(directory, 'hostname'),
    'resolv.conf': join(directory, 'resolv.conf'),
  };
  writeFileSync(etc.hosts, '127.0.0.1\tlocalhost\n');
  writeFileSync(etc.hostname, 'guest\n');
  writeFileSync(etc['resolv.conf'], 'nameserver 172.17.0.1\n');
  return {
    version: 1,
    ticket: ENDPOINT.ticket,
    containerId: ID,
    name: 'guest',
    handoffSocket: join(directory, 'handoff.sock'),
    detach: false,
    logFile: null,
    exitFile: join(directory, 'exit.json'),
    stdin: 'null',
    tty: false,
    user: 'self',
    hostname: 'guest',
    interface: {
      name: 'eth0',
      mac: ENDPOINT.mac,
      address: ENDPOINT.address,
      prefixLength: 16,
      gateway: NETWORK.gateway,
      gatewayMac: NETWORK.gatewayMac,
      mtu: 1500,
      txQueueLength: 1000,
    },
    offload: true,
    etc,
    mask: [],
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    argv: ['sleep', '1000'],
  };
}
