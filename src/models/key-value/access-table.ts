/**
 * When and how often keys were read or written, approximately and in memory: one slot for each value of the low bits of
 * the key's hash, so that a million keys cost no record of their own. Two keys that share a slot share their figures,
 * which is as much as an eviction that samples keys needs.
 */
const slotBits = 18;
const slots = 1 << slotBits;
const slotMask = slots - 1;

/** Redis' LFU_INIT_VAL: new keys are not the first to go. */
const initialFrequency = 5;

export class AccessTable {
  /** Seconds since the table was made, plus one; 0: never seen. */
  private readonly lastAccess = new Uint32Array(slots);
  private readonly frequency = new Uint8Array(slots);
  /** 1: read since it was stored (memcached's "fetched"). */
  private readonly read = new Uint8Array(slots);
  private readonly startedAtMs = Date.now();
  private seconds = 1;
  /** Redis' lfu-log-factor and lfu-decay-time (minutes). */
  logFactor = 10;
  decayMinutes = 1;
  /** Frequencies are counted only while an LFU policy is selected. */
  countFrequency = false;

  /** Moves the clock; called about once a second. */
  tick(nowMs: number): void {
    this.seconds = Math.max(1, Math.floor((nowMs - this.startedAtMs) / 1000) + 1);
  }

  touch(hash: number): void {
    const slot = hash & slotMask;
    if (this.countFrequency) this.bump(slot);
    this.lastAccess[slot] = this.seconds;
  }

  /** Notes that an item was fetched by a meta command. */
  noteFetch(hash: number): void {
    this.read[hash & slotMask] = 1;
  }

  fetched(hash: number): boolean {
    return this.read[hash & slotMask] === 1;
  }

  /** Seconds since the last access; keys not seen since the start count from then. */
  idleSeconds(hash: number): number {
    const last = this.lastAccess[hash & slotMask] ?? 0;
    return this.seconds - (last === 0 ? 1 : last);
  }

  /** Redis' logarithmic counter, 0–255, decayed to now. */
  frequencyOf(hash: number): number {
    const slot = hash & slotMask;
    return this.lastAccess[slot] === 0 ? initialFrequency : this.decayed(slot);
  }

  set(hash: number, figures: { idleSeconds?: number; frequency?: number }): void {
    const slot = hash & slotMask;
    if (figures.idleSeconds !== undefined) this.lastAccess[slot] = Math.max(1, this.seconds - figures.idleSeconds);
    if (figures.frequency !== undefined) {
      this.frequency[slot] = figures.frequency;
      this.lastAccess[slot] = this.seconds;
    }
  }

  private decayed(slot: number): number {
    const count = this.frequency[slot] ?? 0;
    if (this.decayMinutes === 0) return count;
    const idle = this.seconds - (this.lastAccess[slot] ?? this.seconds);
    return Math.max(0, count - Math.floor(idle / (this.decayMinutes * 60)));
  }

  private bump(slot: number): void {
    if (this.lastAccess[slot] === 0) {
      this.frequency[slot] = initialFrequency;
      return;
    }
    const count = this.decayed(slot);
    if (count < 255) {
      const base = Math.max(0, count - initialFrequency);
      this.frequency[slot] = Math.random() < 1 / (base * this.logFactor + 1) ? count + 1 : count;
    } else this.frequency[slot] = count;
  }
}
