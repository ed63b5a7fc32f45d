// Line icons on a 20 × 20 grid.

import { svg } from './dom.js';

const shapes = {
  overview: 'M3 16V9M8 16V4M13 16v-6M18 16V7',
  audiences: 'M7.5 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2 17c0-3.3 2.4-5.5 5.5-5.5S13 13.7 13 17M13 3.4a3 3 0 0 1 0 5.3M15 12c1.9.7 3 2.6 3 5',
  traits: 'M3 5h14M3 10h9M3 15h5M15 12v6M12 15h6',
  profiles: 'M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM3.5 17.5c0-3.6 2.9-5.5 6.5-5.5s6.5 1.9 6.5 5.5',
  sources: 'M3 10h8M8 6.5 11.5 10 8 13.5M13 3h4v14h-4',
  destinations: 'M9 10h8M13.5 6.5 17 10l-3.5 3.5M7 3H3v14h4',
  debugger: 'M7 7a3 3 0 0 1 6 0M6 8h8v5a4 4 0 0 1-8 0ZM2.5 8 6 9.5M17.5 8 14 9.5M2.5 15 6 13.5M17.5 15 14 13.5M10 9v8',
  settings: 'M3 6h8M15 6h2M13 8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 14h2M9 14h8M7 16.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  plus: 'M10 4v12M4 10h12',
  trash: 'M4 6h12M8 6V4h4v2M6 6l.7 10.5h6.6L14 6',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12ZM13.5 13.5 17 17',
  check: 'M4 10.5 8 14.5 16 5.5',
  cross: 'M5 5l10 10M15 5 5 15',
  warning: 'M10 3 18 17H2ZM10 8v4M10 14.5v.1',
  pause: 'M7 4v12M13 4v12',
  play: 'M6 4l10 6-10 6z',
  gear: 'M10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM10 2.5v2M10 15.5v2M2.5 10h2M15.5 10h2M4.7 4.7l1.4 1.4M13.9 13.9l1.4 1.4M4.7 15.3l1.4-1.4M13.9 6.1l1.4-1.4',
  arrow: 'M4 10h12M11 5l5 5-5 5',
  menu: 'M3 5h14M3 10h14M3 15h14',
};

/** A decorative icon; say in text what it means. */
export function icon(name) {
  return svg('svg', { class: 'icon', viewBox: '0 0 20 20', 'aria-hidden': 'true' }, svg('path', { d: shapes[name] }));
}

/** The lightning bolt: updates in real time. */
export function bolt() {
  return svg('svg', { class: 'icon bolt', viewBox: '0 0 20 20', 'aria-hidden': 'true' },
    svg('path', { d: 'M11.5 1.5 3.5 11.5h5L7.5 18.5l9-11h-5.5z' }));
}
