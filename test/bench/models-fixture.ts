import type { ModelsResults } from '../../bench/models/results.ts';
import { engineFixture } from './fixture-results.ts';

/** Two rounds; medians are the middle of both. */
export const modelsFixture: ModelsResults = {
  machine: engineFixture.machine,
  settings: { threads: 2, rounds: 2, steps: 16, batchSteps: 4, prefillTokens: 128 },
  models: [
    {
      title: 'A shape',
      parameters: 1_235_814_400,
      precisions: [
        {
          choice: 'int8',
          checkpointBytes: 2.47e9,
          preparedBytes: 1.5e9,
          firstLoadSeconds: 20,
          loadSeconds: 3,
          loadedBytes: 1.5e9,
          workingBytes: 1.7e9,
          peakBytes: 2.9e9,
          decodeOne: [3, 5],
          decodeBatch: [10, 14],
          prefill: [50, 70],
        },
        {
          choice: 'f32-q4',
          checkpointBytes: 0.8e9,
          preparedBytes: 1e9,
          firstLoadSeconds: 10,
          loadSeconds: 2,
          loadedBytes: 1e9,
          workingBytes: 1.1e9,
          peakBytes: null,
          decodeOne: [2, 2],
          decodeBatch: [6, 6],
          prefill: [40, 40],
        },
      ],
    },
  ],
  otherLoad: [0, 0.5],
  disturbedRounds: 0,
};
