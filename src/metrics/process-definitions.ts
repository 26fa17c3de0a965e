/** A metric that prom-client keeps of the process itself; described here so that docs/metrics.md names everything that is scraped. */
export interface ProcessMetric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly labels: readonly string[];
  readonly help: string;
  /** It is read from /proc. */
  readonly linuxOnly?: true;
}

const gauge = { type: 'gauge', labels: [] } as const;
const perTwoTimers = 'time between two 10 ms timers of the event loop since the last scrape, the 10 ms included';

/** prom-client's default metrics (15.1), all of Node.js and the operating system. */
export const processMetrics = {
  process_cpu_user_seconds_total: { type: 'counter', unit: 'seconds', labels: [], help: 'CPU time in user mode.' },
  process_cpu_system_seconds_total: { type: 'counter', unit: 'seconds', labels: [], help: 'CPU time in the kernel.' },
  process_cpu_seconds_total: { type: 'counter', unit: 'seconds', labels: [], help: 'CPU time, both together.' },
  process_start_time_seconds: { ...gauge, unit: 'seconds since 1970', help: 'Start of the process.' },
  process_resident_memory_bytes: { ...gauge, unit: 'bytes', help: 'Resident memory: weights, KV cache, everything.' },
  process_virtual_memory_bytes: { ...gauge, unit: 'bytes', help: 'Virtual memory.', linuxOnly: true },
  process_heap_bytes: { ...gauge, unit: 'bytes', help: 'Data segment of the process.', linuxOnly: true },
  process_open_fds: { ...gauge, unit: 'files', help: 'Open file descriptors.', linuxOnly: true },
  process_max_fds: { ...gauge, unit: 'files', help: 'Most file descriptors that may be open.', linuxOnly: true },
  nodejs_eventloop_lag_seconds: { ...gauge, unit: 'seconds', help: 'Delay of one immediate at the scrape.' },
  nodejs_eventloop_lag_min_seconds: { ...gauge, unit: 'seconds', help: `Least ${perTwoTimers}.` },
  nodejs_eventloop_lag_max_seconds: { ...gauge, unit: 'seconds', help: `Most ${perTwoTimers}.` },
  nodejs_eventloop_lag_mean_seconds: { ...gauge, unit: 'seconds', help: `Mean ${perTwoTimers}.` },
  nodejs_eventloop_lag_stddev_seconds: {
    ...gauge,
    unit: 'seconds',
    help: `Standard deviation of the ${perTwoTimers}.`,
  },
  nodejs_eventloop_lag_p50_seconds: { ...gauge, unit: 'seconds', help: `Median ${perTwoTimers}.` },
  nodejs_eventloop_lag_p90_seconds: { ...gauge, unit: 'seconds', help: `90th percentile of the ${perTwoTimers}.` },
  nodejs_eventloop_lag_p99_seconds: { ...gauge, unit: 'seconds', help: `99th percentile of the ${perTwoTimers}.` },
  nodejs_active_resources: { ...gauge, unit: 'resources', labels: ['type'], help: 'What keeps the event loop alive.' },
  nodejs_active_resources_total: { ...gauge, unit: 'resources', help: 'All of nodejs_active_resources.' },
  nodejs_active_handles: { ...gauge, unit: 'handles', labels: ['type'], help: 'libuv handles.' },
  nodejs_active_handles_total: { ...gauge, unit: 'handles', help: 'All of nodejs_active_handles.' },
  nodejs_active_requests: { ...gauge, unit: 'requests', labels: ['type'], help: 'libuv requests.' },
  nodejs_active_requests_total: { ...gauge, unit: 'requests', help: 'All of nodejs_active_requests.' },
  nodejs_heap_size_total_bytes: { ...gauge, unit: 'bytes', help: 'JavaScript heap taken from the system.' },
  nodejs_heap_size_used_bytes: { ...gauge, unit: 'bytes', help: 'JavaScript heap in use.' },
  nodejs_external_memory_bytes: { ...gauge, unit: 'bytes', help: 'Memory outside the heap that its objects hold.' },
  nodejs_heap_space_size_total_bytes: { ...gauge, unit: 'bytes', labels: ['space'], help: 'Heap, by space.' },
  nodejs_heap_space_size_used_bytes: { ...gauge, unit: 'bytes', labels: ['space'], help: 'Heap in use, by space.' },
  nodejs_heap_space_size_available_bytes: { ...gauge, unit: 'bytes', labels: ['space'], help: 'Heap left, by space.' },
  nodejs_version_info: {
    ...gauge,
    unit: 'always 1',
    labels: ['version', 'major', 'minor', 'patch'],
    help: 'Version of Node.js, in its labels.',
  },
  nodejs_gc_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['kind'],
    help: 'Garbage collections, by kind (major, minor, incremental, weakcb).',
  },
} as const satisfies Record<string, ProcessMetric>;
