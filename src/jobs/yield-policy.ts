/** What an engine has to do for those who wait for an answer; a job's own requests are over when this is asked. */
export interface Traffic {
  readonly running: number;
  readonly waiting: number;
  /** Requests computed together. */
  readonly rows: number;
}

/** Jobs go on while no more than this share of the rows is busy. */
export const defaultShare = 0.5;

/** Whether a job may run its next item beside the traffic: nobody waits, and rows are left for who comes meanwhile. */
export function mayRun({ running, waiting, rows }: Traffic, share = defaultShare): boolean {
  return waiting === 0 && running <= share * rows && running < rows;
}
