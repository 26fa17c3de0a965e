import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Resident bytes of a process by what they belong to, as the kernel tells it. */
export interface ResidentMemory {
  readonly resident: number;
  /** The most since the process began; null where there is no /proc. */
  readonly peak: number | null;
  /** Null where there is no /proc. */
  readonly kinds: {
    /** Mapped weights files. */
    readonly weights: number;
    /** Programs, libraries and other files. */
    readonly files: number;
    /** Memory reserved without huge pages: what Tiller keeps keys, values and logits in. */
    readonly reserved: number;
    /** All other memory of the process's own. */
    readonly anonymous: number;
  } | null;
}

/** Reads a process's resident memory: from /proc on Linux, else from ps, without kinds. */
export function readMemory(pid: number): ResidentMemory {
  if (process.platform === 'linux') {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { ...parseSmaps(readFileSync(`/proc/${pid}/smaps`, 'utf8')), peak: peak ? Number(peak) * 1024 : null };
  }
  const kilobytes = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim());
  return { resident: kilobytes * 1024, peak: null, kinds: null };
}

/** Sums `Rss` of every mapping in a /proc/PID/smaps (proc(5)) by kind; `nh` in VmFlags is MADV_NOHUGEPAGE. */
export function parseSmaps(text: string): Pick<ResidentMemory, 'resident' | 'kinds'> {
  const kinds = { weights: 0, files: 0, reserved: 0, anonymous: 0 };
  let path = '';
  let resident = 0;
  for (const line of text.split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (mapping) path = mapping[1];
    else if (line.startsWith('Rss:')) resident = Number(/\d+/.exec(line)?.[0]) * 1024;
    else if (line.startsWith('VmFlags:')) kinds[kindOf(path, line)] += resident;
  }
  return { resident: Object.values(kinds).reduce((sum, bytes) => sum + bytes, 0), kinds };
}

function kindOf(path: string, flags: string): 'weights' | 'files' | 'reserved' | 'anonymous' {
  if (path.startsWith('/')) return /\.(bin|safetensors|gguf)$/.test(path) ? 'weights' : 'files';
  return /\bnh\b/.test(flags) ? 'reserved' : 'anonymous';
}
