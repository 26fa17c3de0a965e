import { parentPort, workerData } from 'node:worker_threads';
import { answerCalls } from '../threads/calls.ts';
import { labelFileHandlers } from './label-file-handlers.ts';

/** The thread that reads a label file: see label-file-handlers.ts. Its data is the path of the store's file. */
if (parentPort) answerCalls(parentPort, labelFileHandlers(workerData as string));
