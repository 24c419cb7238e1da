/** One group of bars in the picture: paths beside each other, one figure each. */
export interface Chart {
  readonly title: string;
  /** Behind the figures: `Gbit/s`. */
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Ceilings are drawn apart from stacks, and ours apart from peers. */
  readonly kind: 'ceiling' | 'unet' | 'peer';
}
