import { z } from 'zod';

/** What a figure depends on besides the code. */
export const machineSchema = z.object({
  cpu: z.string(),
  /** Hardware threads that the process may use. */
  cores: z.number(),
  memoryBytes: z.number(),
  platform: z.string(),
  node: z.string(),
  onnxruntime: z.string(),
  llamaCpp: z.object({ package: z.string(), release: z.string() }).nullable(),
  date: z.string(),
  commit: z.string(),
  /** Of the minute before the run: near zero on a quiet machine. */
  loadAverage: z.number(),
});
export type Machine = z.infer<typeof machineSchema>;

/** One value a round; equal places of two lists were measured in the same round. */
export const samples = z.array(z.number().positive()).min(1);

/** What other programs did meanwhile. */
export const disturbanceSchema = z.object({
  /** Cores that processes of others kept busy, one value a round. */
  otherLoad: z.array(z.number()).min(1),
  /** Rounds that others disturbed; they were measured again and are not in the figures. */
  disturbedRounds: z.number(),
});
export type Disturbance = z.infer<typeof disturbanceSchema>;
