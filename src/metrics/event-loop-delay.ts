/** How often the event loop is looked at. */
export const samplingMilliseconds = 10;
/** A process that slept (a laptop, a debugger) is not sampled for longer than this at once. */
const mostMilliseconds = 10_000;

/**
 * Samples the event loop's delay: every 10 ms a timer sees how late it is. While the loop is held up, the timers that would
 * have been due meanwhile count too, each as late as it would have been; otherwise one pause of a second would be one
 * sample among the ninety-nine good ones of the second after. (perf_hooks' monitorEventLoopDelay records the time between
 * two timers, its own 10 ms included, and its percentiles cannot be added up over scrapes.)
 */
export function sampleEventLoopDelay(observe: (seconds: number) => void): void {
  let previous = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const milliseconds of delaysBetween(previous, now)) observe(milliseconds / 1000);
    previous = now;
  }, samplingMilliseconds);
  timer.unref();
}

/** How late timers were that came due after `previous` and fired at `now`, all in milliseconds: the first, and those held up behind it. */
export function delaysBetween(previous: number, now: number): number[] {
  const late = Math.min(Math.max(0, now - previous - samplingMilliseconds), mostMilliseconds);
  const behind = Math.floor(late / samplingMilliseconds);
  return Array.from({ length: behind + 1 }, (_, nth) => late - nth * samplingMilliseconds);
}
