import { type ElementType, elementTypes } from '../graph/index.ts';
import type { Pointer } from './api.ts';
import type { RuntimeEnvironment } from './environment.ts';

/** An OrtValue over memory that belongs to somebody else, who must keep it until after `release`. */
export class TensorView {
  readonly handle: Pointer;
  private readonly environment: RuntimeEnvironment;
  private released = false;

  constructor(
    environment: RuntimeEnvironment,
    memory: { readonly address: Pointer; readonly byteLength: number },
    type: ElementType,
    shape: readonly number[],
  ) {
    this.environment = environment;
    this.handle = environment.api.create(
      'CreateTensorWithDataAsOrtValue',
      environment.memoryInfo,
      memory.address,
      memory.byteLength,
      BigInt64Array.from(shape, BigInt),
      shape.length,
      elementTypes[type],
    );
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.environment.api.release('ReleaseValue', this.handle);
  }
}
