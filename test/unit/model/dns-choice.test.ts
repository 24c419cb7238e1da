import { describe, expect, it } from 'vitest';
import { chooseDns, NO_DNS_LISTS } from '../../../src/model/dns-choice.js';

const host = { servers: ['1.1.1.1'], search: ['host.example'], options: ['rotate'] };

describe('chooseDns', () => {
  it('S74: is the host where nobody says otherwise', () => {
    expect(chooseDns(NO_DNS_LISTS, NO_DNS_LISTS, host)).toEqual({
      servers: { origin: 'host', list: ['1.1.1.1'] },
      search: { origin: 'host', list: ['host.example'] },
      options: { origin: 'host', list: ['rotate'] },
    });
  });

  it('S60: replaces each list whole, and apart from the others', () => {
    const run = { servers: null, search: ['run.example'], options: [] };
    const daemon = { servers: ['10.0.0.1', '10.0.0.2'], search: ['daemon.example'], options: ['ndots:1'] };
    expect(chooseDns(run, daemon, host)).toEqual({
      servers: { origin: 'daemon', list: ['10.0.0.1', '10.0.0.2'] },
      search: { origin: 'run', list: ['run.example'] },
      options: { origin: 'run', list: [] },
    });
  });
});
