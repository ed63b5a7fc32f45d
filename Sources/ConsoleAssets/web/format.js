// Numbers with their units, and times: relative in the text, absolute on hover.

import { h } from './dom.js';

const plain = new Intl.NumberFormat('en-US');
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

export function number(value) {
  return value === null || value === undefined ? '–' : plain.format(value);
}

/** 1.2K, 3.4M: for charts and tight places. */
export function compact(value) {
  return value === null || value === undefined ? '–' : short.format(value);
}

/** `1 profile`, `2 profiles`. */
export function count(value, singular, plural = `${singular}s`) {
  return `${number(value)} ${value === 1 ? singular : plural}`;
}

export function bytes(value) {
  if (value === null || value === undefined) return '–';
  if (value < 1024) return `${value} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let scaled = value / 1024;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`;
}

/** A length of time in one or two units: `340 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function duration(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return '–';
  const sign = milliseconds < 0 ? '−' : '';
  const span = Math.abs(milliseconds);
  if (span < 1000) return `${sign}${Math.round(span)} ms`;
  const seconds = Math.floor(span / 1000);
  if (seconds < 60) return `${sign}${seconds} s`;
  const parts = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = parts.findIndex(([, size]) => seconds >= size);
  const [unit, size] = parts[first];
  const [nextUnit, nextSize] = parts[first + 1];
  const rest = Math.floor((seconds % size) / nextSize);
  return `${sign}${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${nextUnit}` : ''}`;
}

// The server's clock counts, not the browser's: with a test clock they are far apart.
let clockOffset = 0;

export function setServerTime(iso) {
  const instant = Date.parse(iso);
  if (!Number.isNaN(instant)) clockOffset = instant - Date.now();
}

export const serverNow = () => Date.now() + clockOffset;

function relative(instant) {
  const difference = instant - serverNow();
  const span = Math.abs(difference);
  if (span < 5000) return 'just now';
  const units = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1000]];
  const [unit, size] = units.find(([, milliseconds]) => span >= milliseconds);
  const amount = Math.floor(span / size);
  const text = `${amount} ${unit}${amount === 1 ? '' : 's'}`;
  return difference < 0 ? `${text} ago` : `in ${text}`;
}

function absolute(instant) {
  const date = new Date(instant);
  return `${date.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })} (${date.toISOString()})`;
}

/** `<time>` that says how long ago and keeps saying it right. */
export function time(iso) {
  const instant = Date.parse(iso ?? '');
  if (Number.isNaN(instant)) return h('span', { class: 'quiet' }, '–');
  return h('time', { datetime: iso, title: absolute(instant), 'data-relative': true }, relative(instant));
}

/** `<time>` of the clock: `14:03:07`, with the day on hover. */
export function clockTime(iso) {
  const instant = Date.parse(iso ?? '');
  if (Number.isNaN(instant)) return h('span', { class: 'quiet' }, '–');
  const text = new Date(instant).toLocaleTimeString('en-GB');
  return h('time', { datetime: iso, title: absolute(instant) }, text);
}

/** The day of an instant in words: `Monday, 24 November 2025`. */
export function day(iso) {
  const date = new Date(iso);
  return date.toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
}

setInterval(() => {
  for (const element of document.querySelectorAll('time[data-relative]')) {
    element.textContent = relative(Date.parse(element.dateTime));
  }
}, 5000);

/** A value of a trait or property on one line, as a person would write it. */
export function value(item) {
  if (item === null || item === undefined) return '–';
  if (typeof item === 'string') return item;
  // Sums of fractions have digits that say nothing.
  if (typeof item === 'number') return String(Number.isInteger(item) ? item : Math.round(item * 1e6) / 1e6);
  if (Array.isArray(item) && item.every((element) => typeof element !== 'object')) return item.join(', ');
  return JSON.stringify(item);
}

/** A message of the server as a sentence: with a capital letter and an end. */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!…]$/.test(text) ? '' : '.'}`;
}
