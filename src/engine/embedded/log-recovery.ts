/**
 * Reading the log at start. Nothing is changed while reading; {@link cutTail} then makes the cut of a torn tail lasting.
 */
import { CorruptionError } from '../errors.js';
import type { LogFiles } from './log-files.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  frameHeaderBytes,
  frameKind,
  type OperationSink,
  readFrame,
  readOperations,
  sealFrame,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from './log-format.js';

export interface RecoveredLog {
  /** Sequence of the last commit; 0 when there was none. */
  readonly sequence: number;
  readonly commitsFrames: number;
  /** Segments that are still needed. */
  readonly segments: readonly { readonly number: number; readonly bytes: number }[];
  /** Number for the next new segment. */
  readonly next: number;
  /** Where the log ends without an end frame. */
  readonly tail: { readonly number: number; readonly salt: number; readonly position: number } | undefined;
  /** Files of the log that hold nothing. */
  readonly leftovers: readonly string[];
}

/**
 * Replays segments from number `first` on into `sink`. Throws {@link CorruptionError} when anything but the torn tail is
 * damaged or missing.
 */
export function recoverLog(files: LogFiles, first: number, sink: OperationSink): RecoveredLog {
  const names = files.list();
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => a - b);
  const leftovers = names.filter((name) => name.startsWith('spare-'));
  for (const number of numbers) if (number < first) leftovers.push(segmentName(number));
  const live = numbers.filter((number) => number >= first);
  if (live[0] !== first) throw new CorruptionError(`${segmentName(first)} of the log is missing`);

  const segments: { number: number; bytes: number }[] = [];
  let sequence = 0;
  let commitsFrames = 0;
  let tail: RecoveredLog['tail'];
  /** Where reading stopped for good: everything behind is cut off unless it proves that it was on disk. */
  let stop: { readonly number: number; readonly position: number } | undefined;

  for (const [index, number] of live.entries()) {
    const segment = files.read(segmentName(number));
    if (stop !== undefined) {
      refuseProof(segment, number, segmentHeaderBytes, stop);
      leftovers.push(segmentName(number));
      continue;
    }
    if (number !== first + index) throw new CorruptionError(`${segmentName(first + index)} of the log is missing`);
    const salt = decodeSegmentHeader(segment, number);
    if (salt === undefined) {
      stop = { number, position: 0 };
      leftovers.push(segmentName(number));
      continue;
    }
    segments.push({ number, bytes: segment.length });
    let position = segmentHeaderBytes;
    let ended = false;
    for (let frame = readFrame(segment, position, salt); frame !== undefined && !ended; ) {
      if (frame.sequence < sequence) throw new CorruptionError(`${segmentName(number)} of the log is out of order`);
      const start = position + frameHeaderBytes;
      if (frame.kind === frameKind.end) ended = true;
      else {
        if (frame.kind === frameKind.commits) {
          readOperations(segment.subarray(start, start + frame.payloadBytes), sink);
          commitsFrames++;
        }
        sequence = frame.sequence;
        position = start + frame.payloadBytes;
        frame = readFrame(segment, position, salt);
      }
    }
    if (!ended) {
      tail = { number, salt, position };
      stop = { number, position };
      refuseProof(segment, number, position, stop);
    }
  }
  const last = segments.at(-1)?.number ?? first - 1;
  return { sequence, commitsFrames, segments, next: last + 1, tail, leftovers };
}

/** Looks for a frame at or after `from` that was written when the log was already on disk beyond `stop`. */
function refuseProof(
  segment: Buffer,
  number: number,
  from: number,
  stop: { readonly number: number; readonly position: number },
): void {
  const salt = decodeSegmentHeader(segment, number);
  if (salt === undefined) return;
  for (let at = from; at + frameHeaderBytes <= segment.length; at++) {
    // The high bytes of the kind are always zero and its low byte is not: most positions are ruled out by one look.
    const kind = segment[at + 28] as number;
    if (kind === 0 || kind > frameKind.mark) continue;
    const frame = readFrame(segment, at, salt);
    if (frame === undefined) continue;
    const { syncedSegment, syncedOffset } = frame;
    if (syncedSegment > stop.number || (syncedSegment === stop.number && syncedOffset > stop.position)) {
      throw new CorruptionError(
        `${segmentName(stop.number)} of the log is damaged at byte ${stop.position}: later commits are there`,
      );
    }
  }
}

/** Makes the end of the log that `recoverLog` found its end for ever, whatever bytes lie behind it. */
export async function cutTail(files: LogFiles, log: RecoveredLog): Promise<void> {
  const { tail } = log;
  for (const name of log.leftovers) files.remove(name);
  await files.syncNames();
  if (tail === undefined) return;
  const frame = Buffer.alloc(frameHeaderBytes);
  const synced = { syncedSegment: tail.number, syncedOffset: tail.position };
  sealFrame(frame, tail.salt, { payloadBytes: 0, sequence: log.sequence, ...synced, kind: frameKind.end });
  const file = files.open(segmentName(tail.number));
  try {
    file.write(encodeSegmentHeader(tail.number, tail.salt), segmentHeaderBytes, 0);
    file.write(frame, frameHeaderBytes, tail.position);
    await file.sync();
  } finally {
    file.close();
  }
}
