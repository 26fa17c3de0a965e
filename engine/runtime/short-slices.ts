import { koffi } from './foreign.ts';

/** Numbers of the system calls sched_setattr and sched_getattr; they have no names in older C libraries. */
const systemCalls: Readonly<Partial<Record<NodeJS.Architecture, { readonly set: number; readonly get: number }>>> = {
  x64: { set: 314, get: 315 },
  arm64: { set: 274, get: 275 },
};
/** Bytes of the first version of the kernel's `struct sched_attr` (linux/sched/types.h), and where in it lie flags and slice. */
const attributeBytes = 48;
const flagsOffset = 8;
const sliceOffset = 24;
/** SCHED_FLAG_RESET_ON_FORK: threads that this one starts, those that compute among them, have slices as usual. */
const forThisThreadOnly = 1n;
/** The shortest that Linux takes, nanoseconds. */
const shortestSlice = 100_000n;

/**
 * Asks Linux to let the calling thread, the event loop's, run soon after it wakes, in turns of 0.1 ms: it needs little time, and waits
 * for a core that threads which compute hold for milliseconds otherwise. It gets no larger share, and no right to more: policy and
 * niceness stay. Linux knows this since 6.12 (EEVDF's slices); an older one, or another system, does as before.
 *
 * @returns whether the system took it
 */
export function askForShortSlices(): boolean {
  const numbers = process.platform === 'linux' ? systemCalls[process.arch] : undefined;
  if (numbers === undefined) return false;
  const library = koffi.load(null);
  const get = library.func(
    'long syscall(long number, int thread, void *attributes, unsigned int bytes, unsigned int flags)',
  );
  const set = library.func('long syscall(long number, int thread, void *attributes, unsigned int flags)');
  const attributes = Buffer.alloc(attributeBytes);
  if (get(numbers.get, 0, attributes, attributeBytes, 0) !== 0) return false;
  attributes.writeBigUInt64LE(attributes.readBigUInt64LE(flagsOffset) | forThisThreadOnly, flagsOffset);
  attributes.writeBigUInt64LE(shortestSlice, sliceOffset);
  return set(numbers.set, 0, attributes, 0) === 0;
}
