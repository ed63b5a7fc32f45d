// What the builder offers in its inputs: events, properties, traits, audiences and values that were seen. Anything else
// may be typed as well.

import { api, segment, space } from './api.js';

const cache = new Map();

async function once(key, load) {
  if (!cache.has(key)) cache.set(key, load().catch(() => { cache.delete(key); return []; }));
  return cache.get(key);
}

/** Forgets what was read: new events may have come since. */
export const forgetSchema = () => cache.clear();

export const events = () => once('events', async () =>
  (await api.get(`${space}/events?count=200`)).events);

export const properties = (event) => once(`properties:${event}`, async () =>
  (event ? (await api.get(`${space}/events/${segment(event)}/properties?count=200`)).properties : []));

export const propertyValues = (event, path) => once(`values:${event}:${path}`, async () =>
  (event && path
    ? (await api.get(`${space}/events/${segment(event)}/properties/${segment(path)}/sample-values`)).sampleValues : []));

export const traits = (collection) => once(`traits:${collection}`, async () =>
  (await api.get(`${space}/traits?count=200&collection=${collection}`)).traits);

export const traitValues = (key, collection) => once(`trait-values:${collection}:${key}`, async () =>
  (key ? (await api.get(`${space}/traits/${segment(key)}/sample-values?collection=${collection}`)).sampleValues : []));

export const audiences = () => once('audiences', async () =>
  (await api.get(`${space}/audiences?count=200`)).audiences);

/** A typed text as the constant it most likely means: a number where the values seen are numbers. */
export function constant(text, type) {
  const isNumber = /^-?(\d+\.?\d*|\.\d+)$/.test(text.trim());
  return isNumber && type !== 'string' ? Number(text) : text;
}
