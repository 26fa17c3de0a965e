import { autoConditionalSettings, autoSteerSettings } from './auto-steer-settings.ts';
import {
  collectSettings,
  editSettings,
  pullSettings,
  ruleSettings,
  steerSettings,
  targetSettings,
} from './command-settings.ts';
import { contrastSettings, demoSettings } from './contrast-settings.ts';
import { activationsSettings, tapsSettings } from './inspection-settings.ts';
import { interveneSettings, patchSettings } from './intervention-settings.ts';
import { jobSubmitSettings } from './job-settings.ts';
import { labellerKeyVariable, labelSettings, labelsCompareSettings, scoreSettings } from './labelling-settings.ts';
import { logitsSettings } from './logits-settings.ts';
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
import { sweepSettings } from './sweep-settings.ts';
import {
  vectorsCombineSettings,
  vectorsEvaluateSettings,
  vectorsExportSettings,
  vectorsSimilaritySettings,
} from './vector-settings.ts';

const allTables: readonly SettingTable[] = [
  serveSettings,
  targetSettings,
  editSettings,
  ruleSettings,
  steerSettings,
  pullSettings,
  collectSettings,
  activationsSettings,
  tapsSettings,
  saeAddSettings,
  saeCompareSettings,
  statsSettings,
  evalSettings,
  contrastSettings,
  demoSettings,
  labelSettings,
  scoreSettings,
  logitsSettings,
  labelsCompareSettings,
  profileSaveSettings,
  profileExportSettings,
  profileImportSettings,
  vectorsExportSettings,
  vectorsCombineSettings,
  vectorsEvaluateSettings,
  vectorsSimilaritySettings,
  jobSubmitSettings,
  sweepSettings,
  autoSteerSettings,
  autoConditionalSettings,
  neuronpediaSettings,
  labelsImportSettings,
  labelsExportSettings,
  controlVectorSettings,
  interveneSettings,
  patchSettings,
];

/** Every variable there is, whatever the command that reads it. */
export const allVariables: readonly string[] = [
  labellerKeyVariable,
  ...new Set(allTables.flatMap((table) => Object.values(table).map((entry) => entry.variable))),
];
