/** The configuration of the process; the only file that reads process.env. */
import { z } from 'zod';
import { defaultModelName } from '../engine/checkpoint/acquire/catalog.ts';
import { nearest, TillerError } from '../engine/core/index.ts';
import { allVariables } from './all-variables.ts';
import { labellerKeyVariable } from './labelling-settings.ts';
import { serveSettings } from './serve-settings.ts';
import { type Environment, readSettings, type SettingTable, type SettingValues } from './setting.ts';

const hubEndpoint = z.url({ protocol: /^https?$/, error: 'must be an http or https address' });

export interface Config extends Omit<SettingValues<typeof serveSettings>, 'model'> {
  /** The first of `models`: the one that answers where a request names none. */
  readonly model: string;
  /** Every model that may be asked for. */
  readonly models: readonly string[];
  readonly hub: {
    /** HF_ENDPOINT; null for huggingface.co. */
    readonly endpoint: string | null;
    /** HF_TOKEN; sent to the Hub only, never logged. */
    readonly token: string | null;
  };
  /** TILLER_LABELLER_KEY; sent to the labeller's endpoint only, never logged. There is no flag: command lines are seen by everybody. */
  readonly labellerKey: string | null;
  /** What programs that Tiller starts get to see: the environment without the token and the key. */
  readonly childEnvironment: Environment;
}

/** The environment of the process, for whoever passes it on to `loadConfig`. */
export function processEnvironment(): Environment {
  return process.env;
}

/**
 * Reads the configuration: flag over `TILLER_*` variable over default. `flags` is what commander parsed, keyed as in the
 * settings. Throws `invalid_request` for a bad value and `unknown_field` for a `TILLER_*` variable that does not exist.
 */
export function loadConfig(
  flags: Readonly<Record<string, unknown>> = {},
  environment: Environment = process.env,
): Config {
  refuseUnknownVariables(environment);
  const { model: models, ...settings } = readSettings(serveSettings, flags, environment);
  return {
    ...settings,
    model: models[0] ?? defaultModelName,
    models,
    hub: { endpoint: readEndpoint(environment), token: environment.HF_TOKEN?.trim() || null },
    labellerKey: environment[labellerKeyVariable]?.trim() || null,
    childEnvironment: withoutSecrets(environment),
  };
}

/** The one model of a command that works on one. Throws `invalid_request` where several are configured. */
export function theModel({ model, models }: Config): string {
  if (models.length === 1) return model;
  const message = `This command works on one model, and ${models.join(', ')} are configured. Name one with --model.`;
  throw new TillerError('invalid_request', message, { param: 'model' });
}

/** The values of one command's own settings, from the same places and with the same precedence. */
export function loadSettings<Table extends SettingTable>(
  table: Table,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment = process.env,
): SettingValues<Table> {
  return readSettings(table, flags, environment);
}

/**
 * Kubernetes describes a service called `tiller` to every pod beside it in such variables; they are not meant for us. (It also
 * sets TILLER_PORT to an address: a deployment names its service otherwise, or sets enableServiceLinks to false.)
 */
const serviceLink = /^TILLER_(SERVICE_|PORT_\d+_)/;

function refuseUnknownVariables(environment: Environment): void {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('TILLER_') || allVariables.includes(name) || serviceLink.test(name)) continue;
    const suggestions = nearest(name, allVariables);
    const hint = suggestions.length > 0 ? ` Nearest: ${suggestions.join(', ')}.` : '';
    throw new TillerError('unknown_field', `Unknown variable ${name}.${hint}`, { param: name, suggestions });
  }
}

function readEndpoint(environment: Environment): string | null {
  const given = environment.HF_ENDPOINT?.trim();
  if (!given) return null;
  const parsed = hubEndpoint.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new TillerError(
    'invalid_request',
    `Invalid value '${given}' for HF_ENDPOINT: must be an http or https address.`,
    {
      param: 'HF_ENDPOINT',
    },
  );
}

function withoutSecrets({ HF_TOKEN: _token, [labellerKeyVariable]: _key, ...rest }: Environment): Environment {
  return rest;
}
