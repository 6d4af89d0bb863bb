import { createHmac, timingSafeEqual } from 'node:crypto';

/** Checks the X-Convo-Signature header against the raw body of the request. */
export function verify(secret: string, header: string, body: string): void {
  const parts = header.split(',').map((part) => part.split('=', 2) as [string, string]);
  const unix = parts.find(([name]) => name === 't')?.[1] ?? '';
  if (!(Math.abs(Date.now() / 1000 - Number(unix)) <= 300)) throw new Error('timestamp is outside the tolerance');
  const want = createHmac('sha256', secret).update(`${unix}.${body}`).digest();
  const matches = parts.some(([name, value]) => {
    const given = Buffer.from(value, 'hex');
    return name === 'v1' && given.length === want.length && timingSafeEqual(given, want);
  });
  if (!matches) throw new Error('signature does not match');
}
