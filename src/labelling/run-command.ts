import { openStore } from '../../sae-registry/store/index.ts';
import { createProgressDisplay } from '../cli/progress-display.ts';
import type { Config } from '../config.ts';
import { storePath } from '../data-directory.ts';
import { type LabelSettings, labelCommand } from './label-command.ts';
import { type ScoreSettings, scoreCommand } from './score-command.ts';

/** Runs `tiller sae label` on the configured store. */
export function runSaeLabel(config: Config, source: string, settings: LabelSettings): Promise<string> {
  return withStore(config, (opened) => labelCommand({ ...opened, source, settings }));
}

/** Runs `tiller sae score` on the configured store. */
export function runSaeScore(config: Config, source: string, settings: ScoreSettings): Promise<string> {
  return withStore(config, (opened) => scoreCommand({ ...opened, source, settings }));
}

type Opened = Pick<Parameters<typeof labelCommand>[0], 'store' | 'key' | 'display'>;

async function withStore(config: Config, work: (opened: Opened) => Promise<string>): Promise<string> {
  const store = await openStore(storePath(config));
  const display = createProgressDisplay(process.stderr);
  try {
    return await work({ store, key: config.labellerKey, display });
  } finally {
    display.stop();
    store.close();
  }
}
