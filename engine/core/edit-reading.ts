/**
 * What an edit read and wrote over the tokens of one step, token by token. What an executor hands out looks at memory that
 * its next step overwrites: `copyReading` keeps it for longer. Edits that read nothing report zeros for readings.
 */
export interface EditReading {
  /** How many tokens there are to ask for: 0 … tokens − 1. */
  readonly tokens: number;
  /** g: 1 where it was applied. */
  gate(token: number): number;
  /** 1 where positions wanted it but the stream was a sink there. */
  sink(token: number): number;
  /** u, whether applied or not. */
  coefficient(token: number): number;
  /** a on the stream before all the edits at this hook point. */
  readingBefore(token: number): number;
  /** a on the stream after all the edits at this hook point. */
  readingAfter(token: number): number;
  /** ‖x‖ before the edits. */
  streamNorm(token: number): number;
}

/** The same as plain arrays, one entry a token. */
export interface ReadingValues {
  readonly gate: Float32Array;
  readonly sink: Float32Array;
  readonly coefficient: Float32Array;
  readonly readingBefore: Float32Array;
  readonly readingAfter: Float32Array;
  readonly streamNorm: Float32Array;
}

/** A reading that owns its values. */
export interface ArrayReading extends EditReading {
  readonly values: ReadingValues;
}

/** A reading over arrays of one length each. */
export function arrayReading(values: ReadingValues): ArrayReading {
  const { gate, sink, coefficient, readingBefore, readingAfter, streamNorm } = values;
  return {
    values,
    tokens: gate.length,
    gate: (token) => gate[token] as number,
    sink: (token) => sink[token] as number,
    coefficient: (token) => coefficient[token] as number,
    readingBefore: (token) => readingBefore[token] as number,
    readingAfter: (token) => readingAfter[token] as number,
    streamNorm: (token) => streamNorm[token] as number,
  };
}

/** Keeps tokens `from` … `to` − 1 of a reading (all of them by default) beyond the step that made it: 24 bytes a token. */
export function copyReading(reading: EditReading, from = 0, to = reading.tokens): ArrayReading {
  const values = zeroReadingValues(to - from);
  for (let token = from; token < to; token++) {
    const at = token - from;
    values.gate[at] = reading.gate(token);
    values.sink[at] = reading.sink(token);
    values.coefficient[at] = reading.coefficient(token);
    values.readingBefore[at] = reading.readingBefore(token);
    values.readingAfter[at] = reading.readingAfter(token);
    values.streamNorm[at] = reading.streamNorm(token);
  }
  return arrayReading(values);
}

/** Arrays for so many tokens, all zero. */
export function zeroReadingValues(tokens: number): ReadingValues {
  return {
    gate: new Float32Array(tokens),
    sink: new Float32Array(tokens),
    coefficient: new Float32Array(tokens),
    readingBefore: new Float32Array(tokens),
    readingAfter: new Float32Array(tokens),
    streamNorm: new Float32Array(tokens),
  };
}
