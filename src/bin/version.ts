/** Put in by the bundler; the library built by tsc has no use for it. */
declare const UNET_VERSION: string | undefined;

export const VERSION: string = typeof UNET_VERSION === 'string' ? UNET_VERSION : '0.0.0-source';
