import { machineLine, megabytes, number, table, times } from '../markdown.ts';
import { median } from '../statistics.ts';
import { buildStall, longGrowth, longSlowdown, variantsRatio } from './gates.ts';
import type { EnduranceResults } from './results.ts';

export function enduranceTable(results: EnduranceResults): string {
  const { variants, builds, long, settings, machine } = results;
  const { resident } = variants;
  const first = long.windows[0];
  const last = long.windows[long.windows.length - 1];
  const milliseconds = (value: number) => `${number(value)} ms`;
  const rows = [
    [
      `resident memory: one variant in use, ${resident.length} after each other`,
      `${megabytes(resident[0])} MB`,
      `${megabytes(resident[resident.length - 1])} MB`,
      times(variantsRatio(results)),
    ],
    [
      `step of ${settings.buildRows} rows: median, slowest while a variant is built`,
      milliseconds(median(builds.quiet)),
      milliseconds(Math.max(...builds.building)),
      times(buildStall(results)),
    ],
    [
      `a token at ${settings.freshTokens} tokens: after a prompt, in a long generation`,
      milliseconds(long.freshMilliseconds),
      milliseconds(long.longMilliseconds),
      times(longSlowdown(results)),
    ],
    [
      `a token after ${first.tokens} and ${last.tokens} generated (attention grows)`,
      milliseconds(first.medianMilliseconds),
      milliseconds(last.medianMilliseconds),
      times(last.medianMilliseconds / first.medianMilliseconds),
    ],
    [
      'resident memory there, and what of its growth is not keys and values',
      `${megabytes(first.resident)} MB`,
      `${megabytes(last.resident)} MB`,
      `${megabytes(longGrowth(results))} MB`,
    ],
  ];
  return [
    table(['what stays flat', 'before', 'after', '×'], rows),
    `Precision ${settings.precision}. ${machineLine(machine)}`,
  ].join('\n\n');
}
