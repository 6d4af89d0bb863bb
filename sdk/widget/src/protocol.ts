// Messages between the loader, on the customer's page, and the panel, in a frame of the
// server. Both check version, source and origin of each message.

/** Incremented when the messages change incompatibly. */
export const VERSION = 1;

/** What the panel tells the loader. */
export type FromPanel =
  | { type: 'ready' }
  | { type: 'close' }
  | { type: 'unread'; count: number };

/** What the loader tells the panel. */
export type FromLoader =
  | { type: 'hello'; channel: string; locale?: string; identity?: string; open: boolean }
  | { type: 'visible'; open: boolean };

export type Envelope<T> = { convo: number } & T;

/** Returns the message in data, or undefined if it is none of this version. */
export function open<T>(data: unknown): T | undefined {
  if (typeof data !== 'object' || data === null || (data as { convo?: unknown }).convo !== VERSION) return undefined;
  return data as T;
}
