// Where calls come from.

import { api } from '../api.js';
import { h } from '../dom.js';
import { number, time } from '../format.js';
import {
  button, card, copyable, doing, emptyState, field, pageHead, sideSheet, status, table,
} from '../computation-parts.js';

export async function sourcesPage(context) {
  const { sources } = await api.get('/sources', context.signal);
  const create = () => {
    const name = h('input', { type: 'text', placeholder: 'Website', maxlength: 255 });
    const form = h('form', {
      class: 'stack', onsubmit: doing(async (event) => {
        event.preventDefault();
        const { source } = await api.post('/sources', { name: name.value.trim() });
        location.hash = `#/sources/${source.id}`;
      }),
    }, field('Name', name, { hint: 'One source for each website, app or server.' }),
    h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'button primary' }, 'Create Source')));
    sideSheet('New source', form);
    name.focus();
  };
  const add = button('New', create, { kind: 'primary', name: 'plus' });
  return [
    pageHead('Sources', { note: 'Websites, apps and servers that send events. Each has a write key of its own.', actions: [add] }),
    sources.length === 0
      ? emptyState('No source yet', 'Create one, then put its write key and this server’s address into a Segment SDK.',
        button('New', create, { kind: 'primary', name: 'plus' }))
      : card(null, table([
        { name: 'Name', cell: (row) => row.name },
        { name: 'Write key', cell: (row) => copyable(row.writeKey) },
        { name: 'Accepted', tone: 'number', cell: (row) => number(row.counters.accepted) },
        { name: 'Rejected', tone: 'number', cell: (row) => number(row.counters.rejected) },
        { name: 'Last call', tone: 'tight', cell: (row) => (row.lastSeenAt ? time(row.lastSeenAt) : 'none yet') },
        { name: 'Status', tone: 'tight', cell: (row) => status(row.enabled ? 'Connected' : 'Disabled') },
      ], sources, { href: (row) => `#/sources/${row.id}`, label: 'Sources' }), { className: 'flush' }),
  ];
}
