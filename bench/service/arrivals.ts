/**
 * Seconds at which `count` requests arrive, the first after one interval. Intervals follow a gamma distribution with mean 1/rate and shape `burstiness`:
 * 1 is a Poisson process, less is burstier. As in `vllm bench serve`, they are scaled so that the last one comes at count/rate.
 */
export function arrivalTimes(count: number, rate: number, burstiness: number, random: () => number): number[] {
  let at = 0;
  const times = Array.from({ length: count }, () => {
    at += gamma(burstiness, random);
    return at;
  });
  const scale = count / rate / at;
  return times.map((time) => time * scale);
}

/** A gamma variate of scale 1 (Marsaglia and Tsang 2000); for shape 1 the exponential one directly. */
function gamma(shape: number, random: () => number): number {
  if (shape === 1) return -Math.log(1 - random());
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(1 - random()) < normal ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
