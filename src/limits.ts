/** Limits that hold whatever the configuration says (docs/operations.md). */
export const LIMITS = {
  messageBytesMax: 64 * 1024,
  headerBytesMax: 16 * 1024,
  concurrentStreamsMax: 100,
  defaultDeadlineMs: 10_000,
  deadlineMsMax: 30_000,
  databaseQueueMax: 512,
  databaseQueueWaitMsMax: 200,
  databaseGroupWaitMsMax: 5_000,
  lockTimeoutMs: 1_000,
  refusalRecordMsMax: 2_000,
  cancelGraceMs: 2_000,
} as const;
