import { describe, expect, it } from 'vitest';
import { formatFault, parseFaults } from '../../../src/model/fault-spec.js';

const NOTHING = { loss: 0, duplicate: 0, reorder: 0, delayUs: 0, jitterUs: 0, rateBits: 0 };

describe('parseFaults', () => {
  it.each([
    ['loss=2%,reorder=10%,duplicate=1%', { loss: 0.02, duplicate: 0.01, reorder: 0.1 }],
    ['duplicate=0.1%', { duplicate: 0.001 }],
    ['loss=100%', { loss: 1 }],
    ['partition', { loss: 1 }],
    ['delay=50ms,jitter=5ms', { delayUs: 50_000, jitterUs: 5000 }],
    ['delay=200us', { delayUs: 200 }],
    ['delay=1.5s', { delayUs: 1_500_000 }],
    ['delay=60s,rate=1gbit', { delayUs: 60_000_000, rateBits: 1e9 }],
    ['rate=10mbit', { rateBits: 1e7 }],
    ['rate=64Kbit', { rateBits: 64_000 }],
    ['rate=800bit', { rateBits: 800 }],
    ['rate=2.5mbit', { rateBits: 2_500_000 }],
  ])('reads %s, for both directions', (text, faults) => {
    const spec = { ...NOTHING, ...faults };
    expect(parseFaults([text])).toEqual({ egress: spec, ingress: spec });
  });

  it('reads directions by themselves, the later over the earlier, and leaves the others alone', () => {
    const rate = { ...NOTHING, rateBits: 1e6 };
    expect(parseFaults(['egress:rate=1mbit'])).toEqual({ egress: rate });
    expect(parseFaults(['loss=1%', 'ingress:rate=1mbit'])).toEqual({
      egress: { ...NOTHING, loss: 0.01 },
      ingress: rate,
    });
    expect(parseFaults(['none'])).toEqual({ egress: null, ingress: null });
    expect(parseFaults(['loss=0%'])).toEqual({ egress: null, ingress: null });
    expect(parseFaults([])).toEqual({});
  });

  it.each([
    '',
    'loss',
    'loss=',
    'loss=2',
    'loss=101%',
    'loss=-1%',
    'loss=1%,loss=2%',
    'delay=1%',
    'delay=5',
    'delay=5m',
    'delay=61s',
    'delay=-1ms',
    'rate=10',
    'rate=0bit',
    'rate=10mbps',
    'rate=100000gbit',
    'loss=1%%',
    'loss=1%=2',
    'none,loss=1%',
    'up:loss=1%',
    'egress:ingress:loss=1%',
    'egress:',
    'constructor=1%',
    'partition ',
    'loss=1%,',
    'loss=1e1%',
  ])('refuses %j and says what it takes', (text) => {
    expect(() => parseFaults([text])).toThrow(/invalid fault .*loss=P%.*delay=TIME.*rate=RATE.*50ms/);
    expect(() => parseFaults([text])).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('refuses jitter beyond the delay', () => {
    expect(() => parseFaults(['jitter=5ms'])).toThrow(/around delay=TIME/);
    expect(() => parseFaults(['delay=4ms,jitter=5ms'])).toThrow(/around delay=TIME/);
  });
});

describe('formatFault', () => {
  it.each([
    'none',
    'partition',
    'loss=0.1%,reorder=1%,duplicate=100%,delay=50ms,jitter=5ms,rate=10mbit',
    'delay=1.5s',
    'delay=200us',
    'delay=1.25ms',
    'rate=2.5gbit',
    'rate=64kbit',
    'rate=800bit',
    'loss=100%,delay=1ms',
  ])('writes %s as it was read', (text) => {
    expect(formatFault(parseFaults([text]).egress ?? null)).toBe(text);
  });
});
