// Small charts in SVG: one series over time, drawn for its width, with the values in a text alternative.

import { h, svg } from './dom.js';
import { compact, number } from './format.js';

const width = 300;
const height = 64;

/**
 * A column per bucket. `points` are `{at, value}` in order of time; `unit` is what one column counts,
 * for example `events per 10 s`. `name(point)` says when a column is; `caption` what all of them cover.
 */
export function columns(points, unit, tone = 'accent', { name = clock, caption } = {}) {
  const top = Math.max(1, ...points.map((point) => point.value));
  // A young series keeps to the right: columns do not get wider than those of ten minutes.
  const step = width / (caption ? points.length : Math.max(60, points.length));
  const left = width - points.length * step;
  const total = points.reduce((sum, point) => sum + point.value, 0);
  const bars = points.map((point, index) => {
    const size = point.value === 0 ? 0.75 : Math.max(1.5, (point.value / top) * (height - 4));
    const label = `${name(point)}: ${number(point.value)} ${unit}`;
    return svg('rect', {
      x: (left + index * step).toFixed(2), y: (height - size).toFixed(2), width: Math.max(0.6, step * 0.78).toFixed(2),
      height: size.toFixed(2), class: point.value === 0 ? 'zero' : tone,
    }, svg('title', null, label));
  });
  return h('figure', { class: 'chart' },
    svg('svg', {
      viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img',
      'aria-label': `${number(total)} in ${points.length} steps; highest ${number(top)} ${unit}`,
    }, bars),
    h('figcaption', null, h('span', null, caption ?? (points.length ? `last ${span(points)}` : 'no data yet')),
      h('span', null, total ? `peak ${compact(top)} ${unit}` : '')));
}

const clock = (point) => new Date(point.at).toLocaleTimeString('en-GB');

function span(points) {
  const milliseconds = Date.parse(points.at(-1).at) - Date.parse(points[0].at);
  const minutes = Math.max(1, Math.round(milliseconds / 60_000));
  return minutes === 1 ? 'minute' : minutes >= 60 ? 'hour' : `${minutes} minutes`;
}

/** A bar that is `done` of `total` full. */
export function progress(done, total, label) {
  return h('progress', { max: Math.max(1, total), value: total === 0 ? 1 : done, 'aria-label': label });
}
