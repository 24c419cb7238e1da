import type { FastifyInstance, FastifyRequest } from 'fastify';
import type * as v from 'valibot';
import { routes } from '../../api/routes.js';
import { dnsQuerySchema } from '../../api/schemas.js';
import type { Container } from '../container.js';
import { containerDns, type DnsParts, networkDns } from '../dns-view.js';

/** What DNS says: of the network, of one container, and of one question that a container might ask. */
export function addDnsRoutes(
  app: FastifyInstance,
  parts: DnsParts,
  find: (request: FastifyRequest) => Container,
): void {
  app.get(routes.dns, () => networkDns(parts));

  app.get(routes.containerDns(':ref'), (request) => containerDns(parts, find(request)));

  app.get(routes.containerDnsQuery(':ref'), { schema: { querystring: dnsQuerySchema } }, (request) => {
    const { name, type } = request.query as v.InferOutput<typeof dnsQuerySchema>;
    return parts.dns.explain(find(request).id, name, type);
  });
}
