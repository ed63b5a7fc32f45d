// A field for an instant of the past or future; empty means now.

import { h } from './dom.js';

/** `changed` gets ISO 8601, or undefined for now. The field speaks the reader's own time. */
export function instantPicker(label, changed) {
  const input = h('input', {
    type: 'datetime-local', step: '1', 'aria-label': `${label} (your local time)`,
    onchange: () => { now.hidden = input.value === ''; changed(read()); },
  });
  const now = h('button', {
    type: 'button', class: 'button text', hidden: true,
    onclick: () => { input.value = ''; now.hidden = true; changed(undefined); },
  }, 'Now');
  const read = () => (input.value === '' ? undefined : new Date(input.value).toISOString());
  return h('label', { class: 'row instant' }, h('span', { class: 'quiet' }, label), input, now);
}
