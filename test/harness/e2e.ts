import { afterAll, beforeAll, describe, inject } from 'vitest';
import { Unet } from './unet.js';
import { World } from './world.js';

export interface Stage {
  readonly world: World;
  readonly unet: Unet;
}

/** A describe block with a world of its own; skipped, with the reason printed once, where none can be made. */
export function describeInWorld(title: string, body: (stage: Stage) => void): void {
  describe.skipIf(inject('noWorld') !== '')(title, () => {
    const stage: { world?: World; unet?: Unet } = {};
    beforeAll(async () => {
      stage.world = await World.create();
      stage.unet = new Unet(stage.world);
    });
    afterAll(async () => {
      await stage.world?.close();
    });
    body(stage as Stage);
  });
}
