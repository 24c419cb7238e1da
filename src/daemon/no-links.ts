import { renderHosts } from '../files/index.js';
import { UnetError } from '../model/errors.js';
import type { Links } from './links/index.js';

/** Links, where there is no graph: nobody has any. */
export const NO_LINKS: Links = {
  bind(_, requests) {
    if (requests.length > 0) throw new UnetError('INVALID', 'links are not supported by this daemon');
    return [];
  },
  prepare: async () => ({ env: {}, warnings: [] }),
  hosts: ({ lease, hostname }) => renderHosts({ address: lease?.address ?? null, hostname }),
  changed() {},
  async unlink(path) {
    throw new UnetError('NOT_FOUND', `No such link: ${path}`);
  },
  namesOf: ({ name }) => [name],
  childByAlias: () => undefined,
  exposedBy: () => [],
  close() {},
};
