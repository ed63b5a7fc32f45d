// Where results go.

import { api } from '../api.js';
import { h } from '../dom.js';
import { number } from '../format.js';
import { destinationForm } from '../destination-form.js';
import { button, card, doing, emptyState, pageHead, sideSheet, status, table, toast } from '../computation-parts.js';

export async function destinationsPage(context) {
  const [{ destinations }, { catalog }] = await Promise.all([
    api.get('/destinations', context.signal), api.get('/destinations/catalog', context.signal),
  ]);

  const add = (kind) => {
    const form = destinationForm(kind, { name: kind.name, settings: {} }, async (body) => {
      const { destination } = await api.post('/destinations', { kind: kind.kind, enabled: true, ...body });
      toast(`${destination.name} is set up. Connect audiences and traits to it next.`);
      location.hash = `#/destinations/${destination.id}`;
    }, 'Add Destination');
    sideSheet(`Add ${kind.name}`, form);
  };
  const buttons = () => catalog.map((kind) => button(`Add ${kind.name}`, () => add(kind), { kind: 'primary', name: 'plus' }));
  if (location.hash === '#/destinations/new') queueMicrotask(() => add(catalog[0]));

  const resume = (row) => doing(async () => {
    await api.post(`/destinations/${row.id}/resume`);
    toast('Resumed: what waited is sent now.');
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  });
  return [
    pageHead('Destinations', { note: 'Tools that are told who enters and leaves audiences and which values change.', actions: buttons() }),
    destinations.length === 0
      ? emptyState('No destination yet', 'Add Braze with the data centre of your workspace and a REST API key that has the users.track permission. Without an account, run “muster sandbox”, a Braze on this machine.', ...buttons())
      : card(null, table([
        { name: 'Name', cell: (row) => [row.name, h('span', { class: 'sub' }, row.kindName ?? row.kind, row.address && ` · ${row.address}`)] },
        { name: 'Waiting', tone: 'number', cell: (row) => number(row.state.waiting) },
        { name: 'Parked', tone: 'number', cell: (row) => number(row.state.parked) },
        { name: 'Delivered', tone: 'number', cell: (row) => number(row.state.delivered) },
        { name: 'Status', cell: (row) => [status(row.state.status), row.state.paused && h('span', { class: 'sub' }, row.state.paused.reason)] },
        { name: '', tone: 'tight', cell: (row) => row.state.status === 'paused' && button('Resume', resume(row), { name: 'play' }) },
      ], destinations, { href: (row) => `#/destinations/${row.id}`, label: 'Destinations' }), { className: 'flush' }),
  ];
}
