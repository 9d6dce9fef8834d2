/** When a collection leaves its small encoding: Redis' settings of the same names, changed by CONFIG SET. */
export class Thresholds {
  hashEntries = 512;
  hashValueBytes = 64;
  zsetEntries = 128;
  zsetValueBytes = 64;
  setIntsetEntries = 512;
  setListpackEntries = 128;
  setListpackValueBytes = 64;
  /** list-max-listpack-size: entries when positive, else one of the sizes of {@link listBytes}. */
  listSize = -2;
}

const listBytes = [4096, 8192, 16384, 32768, 65536];
/** A list of few bytes may still have no more entries than this many in one listpack. */
const safeBytes = 8192;

/** Whether a list of so many elements and packed bytes fits one listpack. */
export function listFits(thresholds: Thresholds, elements: number, bytes: number): boolean {
  const { listSize } = thresholds;
  if (listSize < 0) return bytes <= (listBytes[Math.min(-listSize, 5) - 1] ?? safeBytes);
  return elements <= listSize && bytes <= safeBytes;
}
