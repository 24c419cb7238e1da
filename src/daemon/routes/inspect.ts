import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ContainerDocument } from '../../api/inspect.js';
import { routes } from '../../api/routes.js';
import type { Container } from '../container.js';
import type { House } from '../house.js';
import { containerDocument } from '../inspect.js';

export function addInspectRoute(
  app: FastifyInstance,
  house: House,
  find: (request: FastifyRequest) => Container,
): void {
  app.get(routes.containerInspect(':ref'), (request): ContainerDocument => containerDocument(house, find(request)));
}
