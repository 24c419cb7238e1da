import { afterAll, beforeAll, describe, inject } from 'vitest';
import { PATIENCE } from './patience.js';
import { Unet } from './unet.js';
import { until, World } from './world.js';

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
      if (PATIENCE > 1) await warmUp(stage.unet);
    });
    afterAll(async () => {
      await stage.world?.close();
    });
    body(stage as Stage);
  });
}

/**
 * unet itself gives a daemon half a minute to start. A slow machine needs more the first time, when every file comes from afar; so the
 * first time is before the first test.
 */
async function warmUp(unet: Unet): Promise<void> {
  await until('a daemon starts', async () => (await unet.run(['ps'])).code === 0, 60_000);
  await unet.run(['daemon', 'stop', '--all']);
}
