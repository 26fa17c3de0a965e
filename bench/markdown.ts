import type { Machine } from './results-common.ts';

/** A Markdown table; all columns but the first are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** What a figure was measured on, in a line. */
export function machineLine({ cpu, cores, node, onnxruntime, llamaCpp, date, commit }: Machine): string {
  const peer = llamaCpp ? `, node-llama-cpp ${llamaCpp.package} (llama.cpp ${llamaCpp.release})` : '';
  return `${cpu}, ${cores} cores, Node ${node.slice(1)}, ONNX Runtime ${onnxruntime}${peer}; commit ${commit}, ${date.slice(0, 10)}.`;
}

export const number = (value: number) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
export const times = (value: number) => value.toFixed(2);
export const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
export const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
