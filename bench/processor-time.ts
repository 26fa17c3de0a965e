import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Clock ticks a second of /proc on every Linux that Node runs on. */
const ticks = 100;

/** Processor seconds that another process has taken so far: from /proc on Linux, else from ps. */
export function processorSecondsOf(pid: number): number {
  if (process.platform === 'linux') return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return parseCpuTime(execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }).trim());
}

/** utime and stime of a /proc/PID/stat (proc(5)); the second field is the program's name, which may hold anything. */
export function parseStat(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

/** `[days-]hours:minutes:seconds`, or `minutes:seconds` with a fraction, as ps writes it. */
export function parseCpuTime(text: string): number {
  const [days, rest] = text.includes('-') ? text.split('-') : ['0', text];
  return Number(days) * 86_400 + rest.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}
