import { parentPort, workerData } from 'node:worker_threads';
import { answerCalls } from '../threads/calls.ts';
import { type EmbedderThreadData, embedderHandlers } from './embedder-handlers.ts';

/** The thread that embeds queries and labels: see embedder-handlers.ts. */
if (parentPort) answerCalls(parentPort, embedderHandlers(workerData as EmbedderThreadData));
