import { collectSettings, editSettings, pullSettings, steerSettings, targetSettings } from './command-settings.ts';
import { activationsSettings, tapsSettings } from './inspection-settings.ts';
import { labellerKeyVariable, labelSettings, labelsCompareSettings, scoreSettings } from './labelling-settings.ts';
import { profileExportSettings, profileImportSettings, profileSaveSettings } from './profile-settings.ts';
import {
  controlVectorSettings,
  labelsExportSettings,
  labelsImportSettings,
  neuronpediaSettings,
} from './registry-settings.ts';
import { evalSettings, saeAddSettings, saeCompareSettings, statsSettings } from './sae-settings.ts';
import { serveSettings } from './serve-settings.ts';
import type { SettingTable } from './setting.ts';

const allTables: readonly SettingTable[] = [
  serveSettings,
  targetSettings,
  editSettings,
  steerSettings,
  pullSettings,
  collectSettings,
  activationsSettings,
  tapsSettings,
  saeAddSettings,
  saeCompareSettings,
  statsSettings,
  evalSettings,
  labelSettings,
  scoreSettings,
  labelsCompareSettings,
  profileSaveSettings,
  profileExportSettings,
  profileImportSettings,
  neuronpediaSettings,
  labelsImportSettings,
  labelsExportSettings,
  controlVectorSettings,
];

/** Every variable there is, whatever the command that reads it. */
export const allVariables: readonly string[] = [
  labellerKeyVariable,
  ...new Set(allTables.flatMap((table) => Object.values(table).map((entry) => entry.variable))),
];
