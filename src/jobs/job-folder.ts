import { createReadStream, existsSync, mkdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { appendFile, copyFile, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';
import { eachJsonLine } from '../../sae-registry/index.ts';
import type { JobInput } from './job-kind.ts';

const labels = {
  class: z.enum(['positive', 'negative']).optional(),
  pair: z.string().min(1).max(200).optional(),
  topic: z.string().min(1).max(200).optional(),
  answer: z.string().min(1).optional(),
};
const inputSchema: z.ZodType<JobInput> = z.union([
  z.strictObject({ text: z.string().min(1), ...labels }),
  z.strictObject({
    messages: z.array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(1),
    ...labels,
  }),
]);

/** Most lines of a data set. */
const mostInputs = 1_000_000;

/** The files of one job: its data set, the lines of its results, and tensors where it makes any. */
export class JobFolder {
  readonly path: string;
  readonly inputs: string;
  readonly results: string;
  readonly tensors: string;

  /** @param jobs the folder of all jobs */
  constructor(jobs: string, id: string) {
    this.path = join(jobs, id);
    this.inputs = join(this.path, 'inputs.jsonl');
    this.results = join(this.path, 'results.jsonl');
    this.tensors = join(this.path, 'results.safetensors');
  }

  /** Keeps a data set, so that the job goes on with it whatever becomes of where it was. `check` refuses lines. Says how many it has. */
  async keep(
    data: readonly JobInput[] | { readonly file: string },
    check: (input: JobInput, param: string) => void = () => {},
  ): Promise<number> {
    mkdirSync(this.path, { recursive: true });
    if ('file' in data) await copyFile(data.file, this.inputs);
    else await writeFile(this.inputs, data.map((input) => `${JSON.stringify(input)}\n`).join(''));
    let count = 0;
    for await (const { key, input } of this.lines()) {
      check(input, `inputs[${key}]`);
      if (++count > mostInputs) {
        throw new TillerError('invalid_request', `A data set has ${mostInputs} lines at most; this one has more.`, {
          param: 'file',
        });
      }
    }
    if (count === 0) throw new TillerError('invalid_request', 'The data set has no line.', { param: 'inputs' });
    return count;
  }

  /** The data set; keys are line numbers from 0. Throws `invalid_request` with the line that is none. */
  async *lines(): AsyncGenerator<{ readonly key: string; readonly input: JobInput }> {
    let at = 0;
    for await (const { number, value, reason } of eachJsonLine(createReadStream(this.inputs), inputSchema)) {
      if (reason !== null) {
        const message = `Line ${number} of the data set ${reason} Wanted: {"text"} or {"messages"}.`;
        throw new TillerError('invalid_request', message, { param: `inputs[${number - 1}]` });
      }
      yield { key: String(at++), input: value };
    }
  }

  /** Keys of what has been done. A line that was cut off is taken away: its item is done again. */
  async recover(): Promise<Set<string>> {
    const done = new Set<string>();
    if (!existsSync(this.results)) return done;
    truncateSync(this.results, await wholeLines(this.results));
    for await (const line of this.told()) done.add(String(line.key));
    return done;
  }

  /** Adds a line of results. */
  async append(key: string, result: Readonly<Record<string, unknown>>): Promise<void> {
    await appendFile(this.results, `${JSON.stringify({ key, ...result })}\n`);
  }

  /** The lines of results. */
  async *told(): AsyncGenerator<Readonly<Record<string, unknown>>> {
    if (!existsSync(this.results)) return;
    const lines = createInterface({ input: createReadStream(this.results), crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) if (line !== '') yield lineSchema.parse(JSON.parse(line));
  }

  /** Bytes of the whole lines that there are. */
  async size(): Promise<number> {
    return existsSync(this.results) ? wholeLines(this.results) : 0;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const lineSchema = z.record(z.string(), z.unknown());
const pieceBytes = 1 << 16;

/** Bytes up to the end of the last line that has an end. */
async function wholeLines(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const piece = Buffer.alloc(pieceBytes);
    for (let end = statSync(path).size; end > 0; end -= pieceBytes) {
      const start = Math.max(0, end - pieceBytes);
      const { bytesRead } = await file.read(piece, 0, end - start, start);
      const at = piece.subarray(0, bytesRead).lastIndexOf(10);
      if (at >= 0) return start + at + 1;
    }
    return 0;
  } finally {
    await file.close();
  }
}
