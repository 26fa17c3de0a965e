import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Physical cores, from Linux's list of hardware threads that share a core; null where the platform does not tell without
 * running another program.
 */
export function physicalCores(folder = '/sys/devices/system/cpu'): number | null {
  try {
    const cores = readdirSync(folder)
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => readFileSync(`${folder}/${name}/topology/thread_siblings_list`, 'utf8').trim());
    return cores.length > 0 ? new Set(cores).size : null;
  } catch {
    return null;
  }
}

/**
 * Threads that a matrix product gains from: one a physical core (a second hardware thread shares the same vector units), and
 * never more than this process may use.
 */
export function defaultThreads(): number {
  return Math.max(1, Math.min(physicalCores() ?? Number.POSITIVE_INFINITY, availableParallelism()));
}
