import { steerSettings } from './command-settings.ts';
import { switchValue } from './serve-settings.ts';
import { setting, textSetting } from './setting.ts';

/** What `tiller jobs submit` can be told. */
export const jobSubmitSettings = {
  request: textSetting(
    '--request <file>',
    'TILLER_JOBS_REQUEST',
    'JSON as POST /api/v1/jobs takes it: {"parameters", "inputs" or "file"}',
  ),
  wait: setting(
    '--wait',
    'TILLER_JOBS_WAIT',
    'run the job in this process and wait for its end, in place of leaving it to a service',
    switchValue,
    false,
  ),
  json: steerSettings.json,
} as const;
