/**
 * Histogram buckets; the first block is vLLM's (its metrics loggers, 2026-07), so that dashboards and autoscaling rules
 * written for it carry over. Seconds unless said otherwise.
 */
export const timeToFirstTokenBuckets = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];

export const timePerOutputTokenBuckets = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];

export const requestLatencyBuckets = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

/** Tokens of one request: 1, 2, 5, 10, … up to the longest context. */
export const tokenBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

/** Tokens of one step. */
export const iterationTokenBuckets = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];

/** Replies asked for to one prompt. */
export const choiceBuckets = [1, 2, 5, 10, 20];

/** Rows of one step. */
export const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128];

/** Different steerings among the rows of one step. */
export const steeringBuckets = [0, 1, 2, 4, 8, 16, 32, 64, 128];

/** One step, or a part of it. */
export const stepBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How often what was predicted: below 1 it went faster. */
export const ratioBuckets = [0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 8];

/** ‖Δ‖/‖x‖: text usually holds together below 0.7 and falls apart at about 2. */
export const doseBuckets = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 5, 10];

/** Fine around 10 ms, which is what the service promises. */
export const eventLoopDelayBuckets = [
  0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** HTTP answers: from a health check to a long generation. */
export const httpBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
