import { z } from 'zod';
import { steerSettings } from './command-settings.ts';
import { setting, textSetting } from './setting.ts';

/** What `tiller profile save` can be told besides the edits. */
export const profileSaveSettings = {
  description: setting('--description <text>', 'TILLER_DESCRIPTION', 'what it is for', z.string(), ''),
} as const;

/** What `tiller profile export` can be told. */
export const profileExportSettings = {
  out: textSetting('--out <file>', 'TILLER_OUT', 'where to write', 'standard output'),
} as const;

/** What `tiller profile import` can be told. */
export const profileImportSettings = {
  name: textSetting('--name <name>', 'TILLER_NAME', 'what to call it', 'the name in the file'),
} as const;

/** What subcommands of `tiller profile` that print something can be told. */
export const profileSettings = { json: steerSettings.json } as const;
