import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Where what cannot be made again is kept: `$XDG_DATA_HOME/tiller` or `~/.local/share/tiller` (XDG base directory
 * specification; a relative value is to be ignored), `~/Library/Application Support/tiller` on macOS,
 * `%LOCALAPPDATA%\tiller\data` on Windows (beside the cache, which is not to be backed up).
 */
export function defaultDataDirectory(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (platform === 'win32') return join(environment.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'tiller', 'data');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'tiller');
  const xdg = environment.XDG_DATA_HOME;
  return join(xdg && isAbsolute(xdg) ? xdg : join(home, '.local', 'share'), 'tiller');
}

/** The registry's file in a data directory. */
export function storePath({ dataDir }: { readonly dataDir: string }): string {
  return join(dataDir, 'tiller.db');
}
