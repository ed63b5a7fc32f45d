// Finding a person or an account.

import { api, query, space } from '../api.js';
import { debounce, h } from '../dom.js';
import { count, time } from '../format.js';
import { emptyState, linkButton, pagedList, pageHead, person, personDetail, select, table } from '../computation-parts.js';

export async function profilesPage(context) {
  let search = context.query.get('search') ?? '';
  let collection = context.query.get('collection') ?? 'users';
  const list = pagedList(async (cursor) => {
    const data = await api.get(`${space}/profiles${query({ count: 50, cursor, search, collection })}`, context.signal);
    return { rows: data.profiles, pagination: data.pagination };
  }, (rows) => table([
    { name: 'Name', cell: (row) => [person(row), h('span', { class: 'sub' }, personDetail(row))] },
    { name: 'Ids', tone: 'number', cell: (row) => count(row.identifierCount, 'id') },
    { name: 'First seen', tone: 'tight', cell: (row) => time(row.createdAt) },
    { name: 'Last seen', tone: 'tight', cell: (row) => time(row.updatedAt) },
  ], rows, { href: (row) => `#/profiles/${row.id}`, label: 'Profiles' }),
  () => (search
    ? emptyState('Nobody found', `No id is exactly “${search}”. Look for a whole user id, e-mail address, anonymous id or segment id.`)
    : emptyState('No profiles yet', 'Profiles appear with the first identify, track, page or group call.', linkButton('Open Sources', '#/sources', { kind: 'primary' }))));
  await list.ready;
  if (!search) context.every(4000, async () => { if (!search) await list.refresh(); });
  const restart = debounce(250, list.restart);
  return [
    pageHead('Profiles', { note: 'Everybody known, with all their ids together. Newest first.' }),
    h('div', { class: 'search' },
      h('input', {
        type: 'search', value: search, placeholder: 'User id, e-mail address, anonymous id, group id …', 'aria-label': 'Find a profile by any id',
        oninput: (event) => { search = event.target.value.trim(); restart(); },
      }),
      select([['users', 'Users'], ['accounts', 'Accounts']], collection, (chosen) => {
        collection = chosen;
        list.restart();
      }, { 'aria-label': 'Users or accounts' })),
    h('section', { class: 'card flush' }, list.node),
  ];
}
