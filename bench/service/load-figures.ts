import { mean, median, percentile, standardDeviation } from '../statistics.ts';
import type { StreamTiming } from '../stream-client.ts';

/** Milliseconds that a good request may take at most (`vllm bench serve --goodput ttft:… tpot:…`). */
export interface ServiceLevel {
  readonly ttft: number;
  readonly tpot: number;
}

/** Mean, spread and percentiles of one measure, milliseconds. */
export interface Distribution {
  readonly mean: number;
  readonly std: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
}

/** What a load test gave, under the names of `vllm bench serve --save-result`, its metrics grouped. Times in milliseconds, throughputs a second. */
export interface LoadFigures {
  readonly duration: number;
  readonly completed: number;
  readonly failed: number;
  readonly total_input_tokens: number;
  readonly total_output_tokens: number;
  readonly request_throughput: number;
  /** Requests that met all service levels, a second. */
  readonly request_goodput: number;
  readonly output_throughput: number;
  readonly total_token_throughput: number;
  readonly max_concurrent_requests: number;
  /** From sending to the first chunk of text. */
  readonly ttft_ms: Distribution;
  /** Of each request: the time after its first token over the tokens after the first. */
  readonly tpot_ms: Distribution;
  /** Between any two chunks that follow each other. */
  readonly itl_ms: Distribution;
  /** From sending to the end of the stream. */
  readonly e2el_ms: Distribution;
}

/** Throws where no request was completed. */
export function loadFigures(streams: readonly StreamTiming[], failed: number, levels: ServiceLevel): LoadFigures {
  const began = Math.min(...streams.map(({ sentAt }) => sentAt));
  const duration = (Math.max(...streams.map(({ endedAt }) => endedAt)) - began) / 1000;
  const sum = (of: (stream: StreamTiming) => number) => streams.reduce((total, stream) => total + of(stream), 0);
  const [input, output] = [sum(({ promptTokens }) => promptTokens), sum(({ outputTokens }) => outputTokens)];
  const good = streams.filter((stream) => ttft(stream) <= levels.ttft && (tpot(stream) ?? 0) <= levels.tpot);
  return {
    duration,
    completed: streams.length,
    failed,
    total_input_tokens: input,
    total_output_tokens: output,
    request_throughput: streams.length / duration,
    request_goodput: good.length / duration,
    output_throughput: output / duration,
    total_token_throughput: (input + output) / duration,
    max_concurrent_requests: mostAtOnce(streams),
    ttft_ms: distribution(streams.map(ttft)),
    tpot_ms: distribution(streams.map(tpot).filter((value) => value !== null)),
    itl_ms: distribution(streams.flatMap(intervals)),
    e2el_ms: distribution(streams.map(({ sentAt, endedAt }) => endedAt - sentAt)),
  };
}

const ttft = ({ sentAt, chunksAt }: StreamTiming) => chunksAt[0] - sentAt;

/** Null for a single token. The last chunk of text is where generation ended. */
function tpot({ chunksAt, outputTokens }: StreamTiming): number | null {
  return outputTokens > 1 ? (chunksAt[chunksAt.length - 1] - chunksAt[0]) / (outputTokens - 1) : null;
}

/** Milliseconds between chunks that follow each other. */
export function intervals({ chunksAt }: Pick<StreamTiming, 'chunksAt'>): number[] {
  return chunksAt.slice(1).map((at, i) => at - chunksAt[i]);
}

function distribution(values: readonly number[]): Distribution {
  return {
    mean: mean(values),
    std: standardDeviation(values),
    median: median(values),
    p90: percentile(values, 90),
    p99: percentile(values, 99),
  };
}

function mostAtOnce(streams: readonly StreamTiming[]): number {
  const changes = streams.flatMap(({ sentAt, endedAt }) => [
    { at: sentAt, by: 1 },
    { at: endedAt, by: -1 },
  ]);
  let open = 0;
  let most = 0;
  for (const { by } of changes.sort((a, b) => a.at - b.at || a.by - b.by)) {
    open += by;
    most = Math.max(most, open);
  }
  return most;
}
