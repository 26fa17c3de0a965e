import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProtobufWriter } from './protobuf.ts';

/** ONNX tensor element types that Tiller writes. onnx.proto, TensorProto.DataType. */
export const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

/** A dimension: its size, or the name of one that is known only when the graph runs. */
export type Dimension = number | string;

export interface GraphPort {
  readonly name: string;
  readonly type: ElementType;
  readonly dimensions: readonly Dimension[];
}

/** A floating-point attribute (a bare number is an integer one). */
export interface FloatAttribute {
  readonly float: number;
}
export type Attribute = number | string | readonly number[] | FloatAttribute;

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** '' is the ONNX domain; 'com.microsoft' holds ONNX Runtime's fused operators, 'tiller' those of engine/kernels. */
  readonly domain?: '' | 'com.microsoft' | 'tiller';
  /** Names of the outputs; '' leaves an optional one out. Default: the node's own name, once. */
  readonly outputs?: readonly string[];
}

/**
 * A weight's data is declared external and given by name when a session is made. ONNX Runtime wants the declared file to
 * exist all the same (it is never read): this module's own file serves.
 */
export const weightPlaceholder = {
  folder: dirname(fileURLToPath(import.meta.url)),
  file: basename(fileURLToPath(import.meta.url)),
} as const;

/** Opset 21 of ONNX, written as IR version 10 (ONNX Runtime 1.19 and later read both). */
const opsetVersion = 21;
const irVersion = 10;

/**
 * Collects nodes, ports and constants of one graph and writes them as an ONNX ModelProto (onnx.proto). Names are the
 * caller's; weights are declared by name and shape only, and handed over when a session is made.
 */
export class OnnxGraph {
  readonly inputs: GraphPort[] = [];
  readonly outputs: GraphPort[] = [];
  /** Weights the session must be given: name → shape. */
  readonly weights = new Map<string, readonly number[]>();
  /** Operator of every node, in order; what tests assert on. */
  readonly operators: { readonly name: string; readonly operator: string }[] = [];
  private readonly nodes: ProtobufWriter[] = [];
  private readonly initializers: ProtobufWriter[] = [];
  private readonly constants = new Map<string, string>();

  input(name: string, type: ElementType, dimensions: readonly Dimension[]): string {
    this.inputs.push({ name, type, dimensions });
    return name;
  }

  output(name: string, type: ElementType, dimensions: readonly Dimension[]): string {
    this.outputs.push({ name, type, dimensions });
    return name;
  }

  /** Declares a weight that lies outside the graph; asking twice declares it once. */
  weight(name: string, shape: readonly number[], type: ElementType = 'float32'): string {
    if (this.weights.has(name)) return name;
    this.weights.set(name, shape);
    const tensor = tensorProto(name, type, shape);
    tensor.message(13, new ProtobufWriter(64).string(1, 'location').string(2, weightPlaceholder.file));
    tensor.integer(14, 1);
    this.initializers.push(tensor);
    return name;
  }

  /** An int64 constant vector; equal ones are shared. */
  integers(values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.constant(`integers/${values.join(',')}`, 'int64', [values.length], bytes);
  }

  /** A float32 scalar constant; equal ones are shared. */
  scalar(value: number): string {
    return this.constant(`scalar/${value}`, 'float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A uint8 constant vector of one element, which operators take for a scalar too; equal ones are shared. */
  byte(value: number): string {
    return this.constant(`byte/${value}`, 'uint8', [1], Uint8Array.of(value));
  }

  /** Adds a node and returns the name of its first output. */
  node(name: string, operator: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const outputs = options.outputs ?? [name];
    const node = new ProtobufWriter(256);
    for (const input of inputs) node.string(1, input);
    for (const output of outputs) node.string(2, output);
    node.string(3, name).string(4, operator);
    for (const [key, value] of Object.entries(options.attributes ?? {})) node.message(5, attributeProto(key, value));
    if (options.domain) node.string(7, options.domain);
    this.nodes.push(node);
    this.operators.push({ name, operator });
    return outputs[0] as string;
  }

  /** The ModelProto's bytes. */
  serialize(graphName: string): Uint8Array {
    const graph = new ProtobufWriter(1 << 16);
    for (const node of this.nodes) graph.message(1, node);
    graph.string(2, graphName);
    for (const initializer of this.initializers) graph.message(5, initializer);
    for (const port of this.inputs) graph.message(11, valueInfo(port));
    for (const port of this.outputs) graph.message(12, valueInfo(port));
    const model = new ProtobufWriter(1 << 16);
    model.integer(1, irVersion).string(2, 'tiller').message(7, graph);
    model.message(8, new ProtobufWriter(16).string(1, '').integer(2, opsetVersion));
    for (const domain of ['com.microsoft', 'tiller']) {
      model.message(8, new ProtobufWriter(32).string(1, domain).integer(2, 1));
    }
    return model.finish();
  }

  /** A constant inside the graph, from its bytes; equal keys are shared. For small ones: weights stay outside. */
  constant(key: string, type: ElementType, shape: readonly number[], raw: Uint8Array): string {
    if (!this.constants.has(key)) {
      const name = `constants/${key}`;
      this.constants.set(key, name);
      this.initializers.push(tensorProto(name, type, shape).bytes(9, raw));
    }
    return this.constants.get(key) as string;
  }
}

function tensorProto(name: string, type: ElementType, shape: readonly number[]): ProtobufWriter {
  const tensor = new ProtobufWriter(128);
  if (shape.length > 0) tensor.packedIntegers(1, shape);
  return tensor.integer(2, elementTypes[type]).string(8, name);
}

function attributeProto(name: string, value: Attribute): ProtobufWriter {
  const attribute = new ProtobufWriter(64).string(1, name);
  if (typeof value === 'number') return attribute.integer(3, value).integer(20, 2);
  if (typeof value === 'string') return attribute.string(4, value).integer(20, 3);
  if ('float' in value) return attribute.float(2, value.float).integer(20, 1);
  for (const item of value) attribute.integer(8, item);
  return attribute.integer(20, 7);
}

function valueInfo(port: GraphPort): ProtobufWriter {
  const shape = new ProtobufWriter(64);
  for (const dimension of port.dimensions) {
    const entry = new ProtobufWriter(16);
    shape.message(1, typeof dimension === 'number' ? entry.integer(1, dimension) : entry.string(2, dimension));
  }
  const tensorType = new ProtobufWriter(64).integer(1, elementTypes[port.type]).message(2, shape);
  return new ProtobufWriter(64).string(1, port.name).message(2, new ProtobufWriter(64).message(1, tensorType));
}
