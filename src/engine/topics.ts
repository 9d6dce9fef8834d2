/**
 * Subscriptions to topics within one process. Messages are delivered in the order they were sent, one at a time: a
 * listener that sends again has its message delivered after all that came before it.
 */
import type { Unsubscribe } from './engine.js';

type Listener = (topic: string, message: Buffer) => void;

export class Topics {
  private readonly subscribers = new Set<{ readonly prefix: string; readonly listener: Listener }>();
  private readonly pending: { readonly topic: string; readonly message: Buffer }[] = [];
  private delivering = false;

  subscribe(prefix: string, listener: Listener): Unsubscribe {
    const subscriber = { prefix, listener };
    this.subscribers.add(subscriber);
    return () => {
      this.subscribers.delete(subscriber);
    };
  }

  /** Queues a message for {@link deliver}. */
  send(topic: string, message: Buffer): void {
    if (this.subscribers.size > 0) this.pending.push({ topic, message });
  }

  /** Hands out everything queued. A listener that throws does not harm the sender: its error surfaces on its own. */
  deliver(): void {
    if (this.delivering || this.pending.length === 0) return;
    this.delivering = true;
    try {
      for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift()) {
        for (const { prefix, listener } of [...this.subscribers]) {
          if (!next.topic.startsWith(prefix)) continue;
          try {
            listener(next.topic, next.message);
          } catch (thrown) {
            queueMicrotask(() => {
              throw thrown;
            });
          }
        }
      }
    } finally {
      this.delivering = false;
    }
  }
}
