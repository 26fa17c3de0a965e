export { type CompiledGraph, compileDecoder, topCount } from './compile.ts';
export { editPorts, fourBitWeights, ports, rotaryTables } from './names.ts';
export { type ElementType, elementTypes, type GraphPort, weightPlaceholder } from './onnx.ts';
export { rotaryTableValues } from './rotary.ts';
export type { OpenSites } from './stream.ts';
