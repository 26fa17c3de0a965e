import { TillerError } from '../../engine/core/index.ts';
import type { Labeller } from '../../sae-registry/labelling/index.ts';
import type { labelSettings } from '../labelling-settings.ts';
import type { SettingValues } from '../setting.ts';
import { createEndpointLabeller } from './endpoint-labeller.ts';
import { RateGate } from './rate-gate.ts';
import type { Prices, Spending } from './spending.ts';

/** What both commands are told of who labels and judges. */
export type EndpointSettings = Pick<
  SettingValues<typeof labelSettings>,
  | 'endpoint'
  | 'labellerModel'
  | 'concurrency'
  | 'requestsPerMinute'
  | 'tokensPerMinute'
  | 'answerTokens'
  | 'timeoutSeconds'
  | 'retries'
  | 'promptPrice'
  | 'answerPrice'
>;

export interface Endpoint {
  readonly endpoint: string;
  readonly model: string;
}

/** Whom to ask; null where no endpoint is named. Throws `invalid_request` where only one of the two is. */
export function endpointOf({ endpoint, labellerModel }: EndpointSettings): Endpoint | null {
  if (endpoint === null && labellerModel === null) return null;
  if (endpoint !== null && labellerModel !== null) return { endpoint, model: labellerModel };
  const [given, missing] = endpoint === null ? ['--labeller-model', '--endpoint'] : ['--endpoint', '--labeller-model'];
  throw new TillerError('invalid_request', `${given} needs ${missing} beside it.`, { param: missing?.slice(2) });
}

/** Waits before a request is sent again begin with this. */
const firstRetryMilliseconds = 1_000;

export function connectLabeller(
  { endpoint, model }: Endpoint,
  settings: EndpointSettings,
  more: { readonly key: string | null; readonly spending: Spending; readonly onNotice: (line: string) => void },
): Labeller {
  const { answerTokens, retries, timeoutSeconds, requestsPerMinute, tokensPerMinute } = settings;
  if (more.key !== null && sendsInClear(endpoint)) {
    more.onNotice(`The key goes to ${endpoint} unencrypted: that address begins with http.`);
  }
  return createEndpointLabeller({
    ...{ endpoint, model, answerTokens, retries, firstRetryMilliseconds, ...more },
    timeoutMilliseconds: timeoutSeconds * 1000,
    gate: new RateGate({ requestsPerMinute, tokensPerMinute }),
  });
}

function sendsInClear(endpoint: string): boolean {
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'http:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

export function pricesOf({ promptPrice, answerPrice }: EndpointSettings): Prices {
  return { prompt: promptPrice, answer: answerPrice };
}
