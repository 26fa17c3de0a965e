import { parentPort, workerData } from 'node:worker_threads';
import { answerCalls } from '../threads/calls.ts';
import { searchHandlers } from './search-handlers.ts';

/** The thread that searches: see search-handlers.ts. Its data is the path of the store's file. */
if (parentPort) answerCalls(parentPort, searchHandlers(workerData as string));
