// Does data get from a source to a destination as expected? In on the left, out on the right, for everybody or one person
// (the seed, step 11).

import { api, query, space } from '../api.js';
import { callFeed } from '../call-feed.js';
import { h, replace } from '../dom.js';
import { attemptTable, emissionTable, openAttempt } from './destination.js';
import { card, emptyState, linkButton, notice, pageHead, pagedList, person, select } from '../computation-parts.js';

export async function debuggerPage(context) {
  const [{ sources }, { destinations }] = await Promise.all([api.get('/sources', context.signal), api.get('/destinations', context.signal)]);
  const search = context.query.get('person') ?? '';
  const head = pageHead('Debugger', { note: 'What arrives, and what goes out because of it.' });
  if (sources.length === 0) {
    return [head, emptyState('No source yet', 'Create a source and send it a call; both sides appear here live.', linkButton('Open Sources', '#/sources', { kind: 'primary' }))];
  }
  let found = null;
  if (search) found = (await api.get(`${space}/profiles${query({ search, count: 1 })}`, context.signal)).profiles[0] ?? null;
  const ids = found ? (await api.get(`${space}/profiles/${found.id}`, context.signal)).profile.identities.map((id) => id.value.toLowerCase()) : [];

  const form = h('form', {
    class: 'search', onsubmit: (event) => {
      event.preventDefault();
      const text = new FormData(form).get('person').trim();
      location.hash = text ? `#/debugger?person=${encodeURIComponent(text)}` : '#/debugger';
    },
  }, h('input', { type: 'search', name: 'person', value: search, placeholder: 'Only one person: user id, e-mail address, anonymous id', 'aria-label': 'Only one person' }),
  h('button', { type: 'submit', class: 'button plain' }, 'Filter'));

  const source = { value: sources };
  const inbound = h('div');
  const drawIn = () => replace(inbound, callFeed(source.value, context, {
    only: search ? (call) => ids.some((id) => call.searchText.includes(JSON.stringify(id))) : null,
  }));
  drawIn();
  return [
    head,
    notice('info', null, 'Braze’s users/track needs an identified user: people without a user id in Braze are not sent. Side-by-side (device-mode) set-ups do not pass through here.'),
    form,
    search && (found ? h('p', null, 'Only ', h('a', { href: `#/profiles/${found.id}` }, person(found)), '.')
      : notice('warn', 'Nobody has this id.', 'Calls may still be on their way, or the id is written differently.')),
    h('div', { class: 'sides' },
      card('Arrives', [
        sources.length > 1 && h('div', { class: 'row', style: { padding: '0 1.15rem .5rem' } },
          select([['', 'All sources'], ...sources.map((one) => [one.id, one.name])], '', (value) => {
            source.value = value ? sources.filter((one) => one.id === value) : sources;
            drawIn();
          }, { 'aria-label': 'Source' })), inbound], { className: 'flush' }),
      h('div', { class: 'stack' }, destinations.length === 0
        ? emptyState('Nothing goes out', 'No destination is set up.', linkButton('Add Braze', '#/destinations/new', { kind: 'primary' }))
        : destinations.map((destination) => outbound(destination, found, search, context)))),
  ];
}

function outbound(destination, found, search, context) {
  const path = `/destinations/${destination.id}`;
  const none = () => h('div', { class: 'empty' }, h('p', null, search ? 'Nothing was sent about this person.' : 'Nothing was sent yet.'));
  if (search && !found) return card(`Goes to ${destination.name}`, none());
  const list = pagedList(async (cursor) => {
    if (found) {
      const data = await api.get(`${path}/emissions${query({ profile: found.id, count: 25, cursor })}`, context.signal);
      return { rows: data.emissions, pagination: data.pagination };
    }
    const data = await api.get(`${path}/deliveries${query({ count: 15, cursor })}`, context.signal);
    return { rows: data.deliveries, pagination: data.pagination };
  }, (rows) => (found ? emissionTable(rows, { path, ofOne: true }) : attemptTable(rows, (row) => openAttempt(path, row.id), { brief: true })), none);
  context.every(2000, list.refresh);
  return card(`Goes to ${destination.name}`, list.node, { className: 'flush' });
}
