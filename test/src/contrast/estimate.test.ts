import { describe, expect, it } from 'vitest';
import { estimateContrast, refuseTooLarge } from '../../../src/contrast/estimate.ts';

const usual = { tokens: 6000, samples: 420, widths: Array(16).fill(576), folds: 5 };

describe('the estimate of a contrast', () => {
  it.each(['difference_of_means', 'logistic', 'mass_mean', 'paired_pca'] as const)(
    'lets a usual one pass: %s',
    (method) => {
      expect(() => refuseTooLarge({ ...usual, method })).not.toThrow();
    },
  );

  it('counts the fits that hold the choice of a place out', () => {
    const of = (places: number) =>
      estimateContrast({ ...usual, widths: Array(places).fill(576), method: 'difference_of_means' }).multiplications;
    expect(of(2) / of(1)).toBeCloseTo((2 * 16) / 6, 9);
  });

  it.each([
    [{ tokens: 200_000 }, 'items', '200000 tokens'],
    [{ samples: 120_000 }, 'hook_points', 'are kept'],
    [{ samples: 6000, method: 'mass_mean' as const }, 'hook_points', 'multiplications'],
  ])('refuses %j with the estimate and the way out', (change, param, message) => {
    const act = () => refuseTooLarge({ ...usual, method: 'difference_of_means', ...change });
    expect(act).toThrowError(expect.objectContaining({ code: 'invalid_request', param }));
    expect(act).toThrowError(message);
  });
});
