import type { JobKind } from '../job-kind.ts';
import { activationsJob } from './activations.ts';
import { contrastJob } from './contrast.ts';
import { evaluateJob } from './evaluate.ts';
import { statisticsJob } from './statistics.ts';
import { sweepJob } from './sweep.ts';

/** Everything that can be done in the background, one file each. */
export const jobKinds: readonly JobKind[] = [activationsJob, contrastJob, evaluateJob, statisticsJob, sweepJob];
