import type { Encoder, OperatorSet } from '../core/index.ts';
import type { EditedStream } from './edit-port.ts';
import { elementTypes, type OnnxGraph } from './onnx.ts';

/**
 * What of an encoder decides the nodes that compute it. Tiller's own operator takes all there are (`any`); of ONNX Runtime's each kind
 * needs others.
 */
export function encoderForm({ rule, input }: Encoder, operators: OperatorSet): string {
  if (operators === 'tiller') return 'any';
  const kind = rule.kind === 'largest' && rule.rectified ? 'largest_rectified' : rule.kind;
  return `${kind},${input.norm},${input.centred ? 'centred' : 'as_it_is'}`;
}

/** The address of the n-th encoder of a form at a hook point of a graph. */
export function encoderSite(hookPoint: string, form: string, n: number): string {
  return `${hookPoint}#${form}#${n}`;
}

/** The hook point of such an address. */
export function hookPointOfEncoder(site: string): string {
  return site.slice(0, site.indexOf('#'));
}

/** Names of the ports of the encoder at an address, and of the dimensions that differ from step to step. */
export function encoderPorts(site: string) {
  const at = (name: string) => `encode.${site}.${name}`;
  return {
    /** uint8: strips of 32 outputs (engine/kernels/encode.cpp); float32 [outputs, width] for ONNX Runtime's operators. */
    weights: at('weights'),
    bias: at('bias'),
    factor: at('factor'),
    threshold: at('threshold'),
    inputBias: at('input_bias'),
    /** float32 [2]: scale, epsilon. */
    numbers: at('numbers'),
    /** int64 [8], of the own operator. */
    settings: at('settings'),
    /** int64 [1]: how many outputs are looked for, or runs; of ONNX Runtime's operators. */
    count: at('count'),
    /** bool [B, S]: which tokens are read; of the own operator. */
    mask: at('mask'),
    /** int32 [B, S] */
    active: at('active'),
    /** int32 and float32 [B, S, most] */
    indices: at('indices'),
    values: at('values'),
    /** float32 [B, S] */
    norms: at('norms'),
    sizes: { outputs: `outputs.${site}`, most: `most.${site}`, bytes: `bytes.${site}` },
  } as const;
}

/**
 * An encoder at full width at a hook point, of whose sums only what is active comes out. Its arrays are inputs: encoders come and go
 * while the graph stays. With Tiller's own operators it is one node, which takes the stream as edits take it, so that nothing about
 * them changes where both are made.
 */
export function addEncoder(
  graph: OnnxGraph,
  site: string,
  stream: EditedStream,
  { width, operators }: { readonly width: number; readonly operators: OperatorSet },
): void {
  const port = encoderPorts(site);
  const { outputs, most, bytes } = port.sizes;
  for (const name of [port.bias, port.factor, port.threshold]) graph.input(name, 'float32', [outputs]);
  graph.input(port.inputBias, 'float32', [width]);
  graph.input(port.numbers, 'float32', [2]);
  if (operators === 'tiller') {
    graph.input(port.weights, 'uint8', [bytes]);
    graph.input(port.settings, 'int64', [8]);
    graph.input(port.mask, 'bool', ['B', 'S']);
    const { value, pending, pendingScale } = stream;
    const arrays = [port.weights, port.bias, port.factor, port.threshold, port.inputBias];
    const inputs = [value, pending, pendingScale, ...arrays, port.numbers, port.settings, port.mask];
    const found = [port.active, port.indices, port.values, port.norms];
    graph.node(`encode.${site}`, 'Encode', inputs, { domain: 'tiller', outputs: found });
  } else {
    graph.input(port.weights, 'float32', [outputs, width]);
    graph.input(port.count, 'int64', [1]);
    addFound(graph, site, addSums(graph, site, stream.value, width));
  }
  graph.output(port.active, 'int32', ['B', 'S']);
  graph.output(port.indices, 'int32', ['B', 'S', most]);
  graph.output(port.values, 'float32', ['B', 'S', most]);
  graph.output(port.norms, 'float32', ['B', 'S']);
}

/** p [B, S, outputs] by ONNX Runtime's operators. */
function addSums(graph: OnnxGraph, site: string, stream: string, width: number): string {
  const port = encoderPorts(site);
  const at = (name: string) => `encode.${site}/${name}`;
  const [, , norm, centred] = parseForm(site);
  const last = graph.integers([-1]);
  graph.node(at('norm'), 'ReduceL2', [stream, last], { attributes: { keepdims: 0 }, outputs: [port.norms] });
  const number = (which: number) =>
    graph.node(at(`number${which}`), 'Gather', [port.numbers, graph.integers([which])], { attributes: { axis: 0 } });
  let x = stream;
  if (centred === 'centred' || norm === 'deviation') {
    const mean = graph.node(at('mean'), 'ReduceMean', [x, last], { attributes: { keepdims: 1 } });
    x = graph.node(at('centred'), 'Sub', [x, mean]);
  }
  let scaled = graph.node(at('scaled'), 'Mul', [x, number(0)]);
  if (norm !== 'none') {
    const square = graph.node(at('square'), 'Mul', [x, x]);
    const sum = graph.node(at('sum'), 'ReduceSum', [square, last], { attributes: { keepdims: 1 } });
    const count = norm === 'deviation' ? width - 1 : width;
    const root = graph.node(at('root'), 'Sqrt', [graph.node(at('mean_square'), 'Div', [sum, graph.scalar(count)])]);
    const divisor = norm === 'deviation' ? graph.node(at('divisor'), 'Add', [root, number(1)]) : root;
    scaled = graph.node(at('divided'), 'Div', [scaled, divisor]);
  }
  const input = graph.node(at('input'), 'Sub', [scaled, port.inputBias]);
  const dot = graph.node(at('dot'), 'FusedMatMul', [input, port.weights], {
    attributes: { transB: 1 },
    domain: 'com.microsoft',
  });
  return graph.node(at('p'), 'Mul', [graph.node(at('biased'), 'Add', [dot, port.bias]), port.factor]);
}

/** What is active of p: ONNX's TopK, of equal numbers those of lower indices. Indices are those within a run where there are runs. */
function addFound(graph: OnnxGraph, site: string, p: string): void {
  const port = encoderPorts(site);
  const at = (name: string) => `encode.${site}/${name}`;
  const [, kind] = parseForm(site);
  const zero = graph.scalar(0);
  const largest = (of: string, count: string, values: string) => {
    const indices = at('found');
    const attributes = { axis: -1, largest: 1, sorted: 1 };
    graph.node(at('largest'), 'TopK', [of, count], { attributes, outputs: [values, indices] });
    return indices;
  };
  const toInt32 = (name: string, of: string, outputs?: readonly string[]) =>
    graph.node(at(name), 'Cast', [of], { attributes: { to: elementTypes.int32 }, outputs });
  const count = (fires: string) => {
    const attributes = { keepdims: 0 };
    const inputs = [toInt32('ones', fires), graph.integers([-1])];
    graph.node(at('count'), 'ReduceSum', inputs, { attributes, outputs: [port.active] });
  };
  if (kind === 'threshold') {
    const fires = graph.node(at('fires'), 'Greater', [p, port.threshold]);
    const activation = graph.node(at('activation'), 'Where', [fires, p, zero]);
    toInt32('indices', largest(activation, port.count, port.values), [port.indices]);
    count(fires);
    return;
  }
  if (kind === 'largest_of_runs') {
    const shape = graph.node(at('shape'), 'Concat', [graph.integers([0, 0]), port.count, graph.integers([-1])], {
      attributes: { axis: 0 },
    });
    const runs = graph.node(at('runs'), 'Reshape', [p, shape]);
    const indices = largest(runs, graph.integers([1]), at('values'));
    const flat = graph.integers([0, 0, -1]);
    graph.node(at('values_flat'), 'Reshape', [at('values'), flat], { outputs: [port.values] });
    toInt32('indices', graph.node(at('indices_flat'), 'Reshape', [indices, flat]), [port.indices]);
  } else {
    toInt32('indices', largest(p, port.count, port.values), [port.indices]);
  }
  if (kind === 'largest') {
    count(graph.node(at('not_zero'), 'Not', [graph.node(at('is_zero'), 'Equal', [port.values, zero])]));
  } else {
    count(graph.node(at('above_zero'), 'Greater', [port.values, zero]));
  }
}

/** Hook point, rule, norm, whether centred. */
function parseForm(site: string): readonly string[] {
  const [hookPoint = '', form = ''] = site.split('#');
  return [hookPoint, ...form.split(',')];
}
