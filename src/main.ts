#!/usr/bin/env node
import { acquireModel } from '../engine/checkpoint/acquire/index.ts';
import { acquireEmbedder } from '../sae-registry/embedder/embedder-files.ts';
import { runCli } from './cli/program.ts';
import { watchOutput } from './cli/unread-output.ts';
import { processEnvironment } from './config.ts';
import { readVersion } from './version.ts';

const [, , command] = process.argv;
watchOutput([process.stdout, process.stderr], command === undefined || command === 'serve', process.exit);
process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: processEnvironment(),
  version: readVersion(),
  actions: {
    acquireModel,
    acquireEmbedder,
    // Loaded when used: a server's worth of modules is not needed to print --help.
    runServe: async (config) => (await import('./serve.ts')).runServe(config),
    runCollect: async (config, options) => (await import('./collect-command.ts')).runCollect(config, options),
    runActivations: async (...asked) => (await import('./inspection/inspect-command.ts')).runActivations(...asked),
    runTaps: async (...asked) => (await import('./inspection/inspect-command.ts')).runTaps(...asked),
    runSaeLabel: async (...label) => (await import('./labelling/run-command.ts')).runSaeLabel(...label),
    runSaeScore: async (...score) => (await import('./labelling/run-command.ts')).runSaeScore(...score),
    runSteer: async (config, request) => (await import('./steer-command.ts')).runSteer(config, request),
  },
});
