/**
 * KL(p ‖ q) = Σ p·log(p/q) in nats, of the distributions that two rows of logits over the same tokens stand for; exact over all of them,
 * in float64. Never below 0.
 */
export function divergence(p: Float32Array, q: Float32Array): number {
  const [largestP, largestQ] = [largest(p), largest(q)];
  let [sumP, sumQ, weighed] = [0, 0, 0];
  for (let id = 0; id < p.length; id++) {
    const [a, b] = [(p[id] as number) - largestP, (q[id] as number) - largestQ];
    const weight = Math.exp(a);
    sumP += weight;
    sumQ += Math.exp(b);
    // a token that p gives no weight adds nothing, however unlikely q finds it
    if (weight > 0) weighed += weight * (a - b);
  }
  return Math.max(0, weighed / sumP - Math.log(sumP) + Math.log(sumQ));
}

function largest(logits: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) most = Math.max(most, logits[id] as number);
  return most;
}
