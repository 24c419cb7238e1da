/** What can be measured. Samples hold figures by `id`; tables and pictures take title, unit and digits from here. */
export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
}

export const GBPS: Metric = { id: 'gbps', title: 'throughput', unit: 'Gbit/s', digits: 2 };
export const CPU: Metric = { id: 'cpuPerGiB', title: "CPU of the stack's processes", unit: 's/GiB', digits: 2 };
/** Least over greatest throughput of the streams that ran together: 1 is perfect, 0.5 is "within 2 ×". */
export const FAIR: Metric = { id: 'fairness', title: 'slowest of fastest stream', unit: '', digits: 2 };
export const P50: Metric = { id: 'p50Us', title: 'p50', unit: 'µs', digits: 1 };
export const P99: Metric = { id: 'p99Us', title: 'p99', unit: 'µs', digits: 1 };
export const PER_SECOND: Metric = { id: 'perSecond', title: 'rate', unit: '1/s', digits: 0 };
export const LOSS: Metric = { id: 'lossPercent', title: 'lost', unit: '%', digits: 3 };
export const BYTES_PER_FLOW: Metric = { id: 'bytesPerFlow', title: 'memory', unit: 'B/flow', digits: 0 };
export const WALL: Metric = { id: 'wallMs', title: 'wall time', unit: 'ms', digits: 1 };
