// The lists of audiences and of computed traits.

import { api, query, space } from '../api.js';
import { debounce, h } from '../dom.js';
import { number, time } from '../format.js';
import { bolt } from '../icons.js';
import {
  emptyState, linkButton, pagedList, pageHead, progressNote, status, table,
} from '../computation-parts.js';

/** What differs between the two kinds in words and addresses. */
export const kinds = {
  audience: {
    title: 'Audiences', one: 'audience', path: `${space}/audiences`, list: 'audiences', single: 'audience',
    route: 'audiences', unit: 'Members',
    note: 'Who is in right now. A lightning bolt means real time: people enter and leave on their own, to the second.',
  },
  trait: {
    title: 'Computed Traits', one: 'computed trait', path: `${space}/computed-traits`, list: 'computedTraits',
    single: 'computedTrait', route: 'traits', unit: 'Profiles with a value',
    note: 'One value per person, computed from everything they did and always up to date.',
  },
};

export function computationsPage(kindName) {
  const kind = kinds[kindName];
  return async (context) => {
    let search = '';
    const list = pagedList(async (cursor) => {
      const data = await api.get(kind.path + query({
        count: 50, cursor, 'search[type]': search && 'NAME', 'search[query]': search,
      }), context.signal);
      return { rows: data[kind.list], pagination: data.pagination };
    }, (rows) => table(columnsOf(kind), rows, { href: (row) => `#/${kind.route}/${row.id}`, label: kind.title }),
    () => (search
      ? emptyState('No match', `No ${kind.one} has “${search}” in its name.`)
      : emptyState(`No ${kind.one} yet`, kindName === 'audience'
        ? 'Describe a group of people by what they did and who they are, see at once how many that is, and send it to Braze.'
        : 'Count, add up or pick what people did – their last product, their revenue of 90 days – and send it to Braze.',
      linkButton('New', `#/${kind.route}/new`, { kind: 'primary', name: 'plus' }))));
    await list.ready;
    context.every(3000, list.refresh);
    const restart = debounce(250, list.restart);
    return [
      pageHead(kind.title, {
        note: kind.note,
        actions: [linkButton('New', `#/${kind.route}/new`, { kind: 'primary', name: 'plus' })],
      }),
      h('div', { class: 'search' }, h('input', {
        type: 'search', placeholder: 'Find by name', 'aria-label': `Find ${kind.title} by name`,
        oninput: (event) => { search = event.target.value.trim(); restart(); },
      })),
      h('section', { class: 'card flush' }, list.node),
    ];
  };
}

function columnsOf(kind) {
  return [
    {
      name: 'Name', cell: (row) => [row.name, ' ', row.computeCadence.type === 'REALTIME'
        && h('span', { title: 'Realtime Enabled', role: 'img', 'aria-label': 'Realtime Enabled' }, bolt()),
      h('span', { class: 'sub' }, h('code', null, row.key))],
    },
    { name: kind.unit, tone: 'number', cell: (row) => number(row.size.count) },
    { name: 'Status', cell: (row) => [status(row.status), progressNote(row.backfill)] },
    {
      name: 'Destinations', cell: (row) => (row.connections.length === 0
        ? h('span', { class: 'quiet' }, 'none')
        : row.connections.map((connection) => connection.destination.name).join(', ')),
    },
    { name: 'Changed', tone: 'tight', cell: (row) => time(row.updatedAt) },
  ];
}
