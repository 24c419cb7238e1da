import type { FastifyInstance } from 'fastify';
import { routes } from '../../api/routes.js';
import type { House } from '../house.js';

interface LinkParams {
  readonly ref: string;
  readonly alias: string;
}

/** Links are made with their parents, and taken away here. */
export function addLinkRoutes(app: FastifyInstance, { links }: Pick<House, 'links'>): void {
  app.delete(routes.containerLink(':ref', ':alias'), async (request) => {
    const { ref, alias } = request.params as LinkParams;
    // Without an alias it is a container's own name, which is no link.
    await links.unlink(alias === '' ? ref : `${ref}/${alias}`);
    return {};
  });
}
