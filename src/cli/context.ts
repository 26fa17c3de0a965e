import type { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import type { acquireEmbedder } from '../../sae-registry/embedder/embedder-files.ts';
import type { Config } from '../config.ts';
import type { runActivations, runTaps } from '../inspection/inspect-command.ts';
import type { LabelSettings } from '../labelling/label-command.ts';
import type { ScoreSettings } from '../labelling/score-command.ts';
import type { Environment } from '../setting.ts';
import type { SteerRequest, SteerResult } from './steer-result.ts';

/** A stream that text is written to, with what a terminal knows about itself. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What the commands are made of; loaded only when a command needs it, so that --help is quick. */
export interface Actions {
  /** Serves until it is told to stop. */
  runServe(config: Config): Promise<void>;
  /** Generates the same reply twice, without and with the edits. */
  runSteer(config: Config, request: SteerRequest): Promise<SteerResult>;
  /** Measures the model's stream norms and returns the path they were written to. */
  runCollect(config: Config, options: { readonly texts: string | null; readonly out: string | null }): Promise<string>;
  /** Labels features of a source of the store, and returns what to print. */
  runSaeLabel(config: Config, source: string, settings: LabelSettings): Promise<string>;
  /** Scores labels of a source of the store, and returns what to print. */
  runSaeScore(config: Config, source: string, settings: ScoreSettings): Promise<string>;
  /** Asks what features do on texts. */
  readonly runActivations: typeof runActivations;
  /** Writes the model's values on texts to a file. */
  readonly runTaps: typeof runTaps;
  readonly acquireModel: typeof acquireModel;
  readonly acquireEmbedder: typeof acquireEmbedder;
}

/** Everything that the commands touch of the world. */
export interface CliContext {
  readonly stdout: Output;
  readonly stderr: NodeJS.WritableStream & Output;
  readonly environment: Environment;
  readonly version: string;
  readonly actions: Actions;
}
