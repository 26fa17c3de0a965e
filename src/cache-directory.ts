import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Where downloads and derived files are kept: `$XDG_CACHE_HOME/tiller` or `~/.cache/tiller` (XDG base directory
 * specification; a relative value is to be ignored), `~/Library/Caches/tiller` on macOS, `%LOCALAPPDATA%\tiller` on Windows.
 */
export function defaultCacheDirectory(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (platform === 'win32') return join(environment.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'tiller');
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'tiller');
  const xdg = environment.XDG_CACHE_HOME;
  return join(xdg && isAbsolute(xdg) ? xdg : join(home, '.cache'), 'tiller');
}
