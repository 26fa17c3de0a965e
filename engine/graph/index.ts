export { type CompiledGraph, compileDecoder } from './compile.ts';
export { blocksNeeded } from './depth.ts';
export { encoderForm, encoderPorts, encoderSite } from './encode-port.ts';
export { editableHookPoints } from './hook-points.ts';
export type { LinearOptions } from './linear.ts';
export { topCount } from './logits.ts';
export {
  editPorts,
  type GraphOptions,
  type KeyValueType,
  keyDimension,
  linearArrays,
  ports,
  rotaryTables,
} from './names.ts';
export {
  type Dimension,
  type ElementType,
  elementTypes,
  type GraphPort,
  OnnxGraph,
  weightPlaceholder,
} from './onnx.ts';
export { rotaryTableValues } from './rotary.ts';
export type { OpenSites } from './sites.ts';
export { compileUnembedding } from './unembedding.ts';
