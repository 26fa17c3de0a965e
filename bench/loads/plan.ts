import { join } from 'node:path';
import { defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { checkout } from '../checkout.ts';

/** A checkpoint that is loaded again and again, in every precision that it has. */
export interface LoadCase {
  readonly title: string;
  /** A model of the catalog, or a path. */
  readonly model: string;
  readonly precisions: readonly string[];
  /** Seconds that a load may take; what the project promises. */
  readonly limit: number;
}

export const loadCases: readonly LoadCase[] = [
  { title: defaultModelName, model: defaultModelName, precisions: ['f32', 'int8', 'blocks'], limit: 3 },
  {
    title: 'a tiny Llama',
    model: join(checkout, 'test', 'fixtures', 'families', 'llama3'),
    // no blocks: its file holds float32
    precisions: ['f32', 'int8'],
    limit: 1,
  },
];
