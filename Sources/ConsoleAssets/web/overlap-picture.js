// Two audiences as circles: their areas and that of what they share are in proportion to the people in them.

import { h, svg } from './dom.js';
import { count, number } from './format.js';

const width = 300;
const height = 130;

/** `overlap` is what the preview's API answers; `name` says what is previewed. */
export function overlapPicture(overlap, unit, name) {
  const { both, onlyThis, onlyOther } = overlap;
  const rows = [
    ['this', `Only in ${name.charAt(0).toLowerCase()}${name.slice(1)}`, onlyThis],
    ['shared', 'In both', both],
    ['other', `Only in “${overlap.name}”`, onlyOther],
  ];
  const share = (part, whole) => (whole > 0 ? ` · ${((part / whole) * 100).toFixed(0)} % of the smaller one` : '');
  return h('figure', { class: 'overlap' },
    both + onlyThis + onlyOther > 0 && circles(both + onlyThis, both + onlyOther, both,
      `${count(both, unit)} in both, ${number(onlyThis)} only in this, ${number(onlyOther)} only in ${overlap.name}`),
    h('figcaption', null, rows.map(([tone, text, size]) => h('div', { class: 'overlap-row' },
      h('span', { class: `swatch ${tone}` }), h('span', null, text,
        tone === 'shared' && h('span', { class: 'quiet' }, share(both, Math.min(both + onlyThis, both + onlyOther)))),
      h('strong', null, number(size))))));
}

function circles(left, right, both, label) {
  const [one, two] = [Math.sqrt(left / Math.PI), Math.sqrt(right / Math.PI)];
  const distance = distanceFor(one, two, both);
  // Both together as large as the picture allows, in its middle.
  const from = Math.min(-one, distance - two);
  const to = Math.max(one, distance + two);
  const scale = Math.min((width - 8) / (to - from), (height - 8) / (2 * Math.max(one, two)));
  const shift = (width - (to - from) * scale) / 2 - from * scale;
  const circle = (center, radius, tone) => radius > 0 && svg('circle', {
    cx: (shift + center * scale).toFixed(1), cy: height / 2, r: Math.max(1, radius * scale).toFixed(1), class: tone,
  });
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    circle(0, one, 'this'), circle(distance, two, 'other'));
}

/** How far apart the centres of two circles must be to share an area. */
function distanceFor(one, two, area) {
  if (area <= 0) return (one + two) * 1.05;
  let [low, high] = [Math.abs(one - two), one + two];
  for (let turn = 0; turn < 50; turn += 1) {
    const middle = (low + high) / 2;
    if (sharedArea(one, two, middle) > area) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function sharedArea(one, two, distance) {
  if (distance >= one + two) return 0;
  if (distance <= Math.abs(one - two)) return Math.PI * Math.min(one, two) ** 2;
  const segment = (radius, other) => {
    const cosine = (distance ** 2 + radius ** 2 - other ** 2) / (2 * distance * radius);
    const angle = 2 * Math.acos(Math.max(-1, Math.min(1, cosine)));
    return (radius ** 2 / 2) * (angle - Math.sin(angle));
  };
  return segment(one, two) + segment(two, one);
}
