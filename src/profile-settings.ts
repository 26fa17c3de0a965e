import { z } from 'zod';
import { switchValue } from './serve-settings.ts';
import { setting } from './setting.ts';

/** What `tiller profile save` can be told besides the edits. */
export const profileSaveSettings = {
  description: setting('--description <text>', 'TILLER_DESCRIPTION', 'what it is for', z.string(), ''),
} as const;

/** What `tiller profile export` can be told. */
export const profileExportSettings = {
  out: setting(
    '--out <file>',
    'TILLER_OUT',
    'where to write',
    z.string().min(1, 'must not be empty').nullable(),
    null,
    {
      defaultText: 'standard output',
    },
  ),
} as const;

/** What `tiller profile import` can be told. */
export const profileImportSettings = {
  name: setting(
    '--name <name>',
    'TILLER_NAME',
    'what to call it',
    z.string().min(1, 'must not be empty').nullable(),
    null,
    { defaultText: 'the name in the file' },
  ),
} as const;

/** What subcommands of `tiller profile` that print something can be told. */
export const profileSettings = { json: setting('--json', 'TILLER_JSON', 'print JSON', switchValue, false) } as const;
