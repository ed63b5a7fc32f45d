// One person or account: Traits, Audiences, Events, Identities, deliveries (spec: collection §6.1).

import { api, query, space } from '../api.js';
import { h, replace } from '../dom.js';
import { clockTime, count, day, number, time, value } from '../format.js';
import {
  badge, button, card, confirm, copyable, doing, figure, json, notice, pagedList, pageHead, person, personDetail, status, table, tabs, toast,
} from '../computation-parts.js';
import { instantPicker } from '../instant-picker.js';

export async function profilePage(context) {
  const path = `${space}/profiles/${encodeURIComponent(context.parameters.id)}`;
  const read = async () => (await api.get(path, context.signal)).profile;
  const profile = await read();
  const isUser = profile.collection === 'users';
  const base = `#/profiles/${profile.id}`;
  const entries = [
    ['Traits', '', traitsTab], ['Audiences', '/audiences', audiencesTab], ['Events', '/events', eventsTab],
    ['Identities', '/identities', identitiesTab],
    isUser ? ['Accounts', '/accounts', accountsTab] : ['Users', '/accounts', accountsTab],
    ['Deliveries', '/deliveries', deliveriesTab],
  ];
  const current = entries.find(([, suffix]) => suffix === `/${context.parameters.tab}`) ?? entries[0];
  const members = profile.audiences.filter((audience) => audience.member).length;
  return [
    pageHead(person(profile) instanceof Node ? profile.id : person(profile), {
      trail: [['Profiles', '#/profiles']], note: personDetail(profile),
    }),
    card(null, h('div', { class: 'figures' },
      figure('Segment id', copyable(profile.id)), figure('Audiences', number(members), 'in right now'),
      figure('First seen', time(profile.createdAt)), figure('Last seen', time(profile.updatedAt))), { className: 'profile-facts' }),
    tabs(entries.map(([name, suffix]) => [name, base + suffix]), base + current[1]),
    await current[2](profile, context, path),
  ];
}

/** A tab that can also show how things were. */
function asOf(profile, context, path, draw) {
  const body = h('div', null, draw(profile));
  const picker = instantPicker('As of', async (at) => {
    try {
      const then = at ? (await api.get(`${path}${query({ at })}`, context.signal)).profile : profile;
      replace(body, draw(then));
    } catch (error) {
      if (error.name !== 'AbortError') replace(body, notice('warn', 'Not known then.', error.message));
    }
  });
  return h('div', { class: 'stack' }, picker, body);
}

const traitsTab = (profile, context, path) => asOf(profile, context, path, traitsTable);
const audiencesTab = (profile, context, path) => asOf(profile, context, path, audiencesTable);

function traitsTable(profile) {
  const computed = new Set(profile.computedTraits.map((trait) => trait.key));
  const rows = [
    ...profile.computedTraits.map((trait) => ({ ...trait, class: 'computed', href: `#/traits/${trait.id}` })),
    ...profile.traits.filter((trait) => !computed.has(trait.key)).map((trait) => ({ ...trait, class: 'custom' })),
  ];
  if (rows.length === 0) return empty('No traits yet. They come with the traits of identify and group calls.');
  return card(null, table([
    { name: 'Trait', cell: (row) => (row.href ? h('a', { href: row.href }, h('code', null, row.key)) : h('code', null, row.key)) },
    { name: 'Value', cell: (row) => (typeof row.value === 'object' && row.value !== null && !Array.isArray(row.value) ? json(row.value) : value(row.value)) },
    { name: 'Class', tone: 'tight', cell: (row) => badge(row.class, row.class === 'computed' ? 'bolted' : 'neutral') },
    { name: 'Source', tone: 'tight', cell: (row) => row.sourceName ?? row.sourceId ?? '' },
    { name: 'Changed', tone: 'tight', cell: (row) => (row.updatedAt ? time(row.updatedAt) : '') },
    { name: '', tone: 'tight', cell: (row) => row.href && h('a', { href: `${row.href}/why/${profile.id}${query({ at: profile.at })}` }, 'Why?') },
  ], rows, { label: 'Traits' }), { className: 'flush' });
}

function audiencesTable(profile) {
  if (profile.audiences.length === 0) return empty('In no audience, now or before.');
  return card(null, table([
    { name: 'Audience', cell: (row) => row.name },
    { name: 'Key', cell: (row) => h('code', null, row.key) },
    { name: 'Member', tone: 'tight', cell: (row) => (row.member ? badge('in', 'good') : badge('left', 'neutral')) },
    !profile.at && { name: 'Since', tone: 'tight', cell: (row) => time(row.since) },
    { name: '', tone: 'tight', cell: (row) => h('a', { href: `#/audiences/${row.id}/why/${profile.id}${query({ at: profile.at })}` }, 'Why?') },
  ].filter(Boolean), profile.audiences, { href: (row) => `#/audiences/${row.id}`, label: 'Audiences' }), { className: 'flush' });
}

const kinds = { event: 'Event', identify: 'Identify', group: 'Group', entered: 'Entered', exited: 'Left', computed: 'Computed', merged: 'Merged' };

async function eventsTab(profile, context, path) {
  const list = pagedList(async (cursor) => {
    const data = await api.get(`${path}/timeline${query({ count: 50, cursor })}`, context.signal);
    return { rows: data.timeline, pagination: data.pagination };
  }, timeline, () => empty('Nothing has happened yet.'));
  await list.ready;
  return card(null, list.node, { actions: [h('span', { class: 'quiet' }, 'Events, traits and what they changed. Newest first.')] });
}

function timeline(rows) {
  const items = [];
  let shown = '';
  for (const row of rows) {
    const date = day(row.at);
    if (date !== shown) {
      items.push(h('li', { class: 'date' }, date));
      shown = date;
    }
    const head = row.kind === 'entered' || row.kind === 'exited' || row.kind === 'computed'
      ? [h('a', { href: `#/${row.kind === 'computed' ? 'traits' : 'audiences'}/${row.computationId}` }, row.name),
        row.kind === 'computed' ? h('span', null, ' = ', h('strong', null, value(row.value))) : '']
      : row.name;
    items.push(h('li', null, clockTime(row.at),
      h('span', { class: `dot ${row.kind}`, 'aria-hidden': 'true' }),
      row.body === undefined ? h('div', null, head, row.detail && h('span', { class: 'sub' }, row.detail))
        : h('details', null, h('summary', null, head, row.detail && h('span', { class: 'sub' }, row.detail)), json(row.body)),
      badge(kinds[row.kind] ?? row.kind, { entered: 'good', exited: 'bad', computed: 'bolted' }[row.kind] ?? 'neutral')));
  }
  return h('ol', { class: 'timeline' }, items);
}

function identitiesTab(profile) {
  const userID = profile.identities.find((id) => id.type === 'user_id')?.value;
  return [identitiesTable(profile), profile.collection === 'users' && privacyCard(profile, userID)];
}

function privacyCard(profile, userID) {
  if (!userID) {
    return card('Delete this person', h('p', { class: 'quiet' }, 'People are deleted by their user id; this profile has none yet.'));
  }
  const act = (suppress) => doing(async () => {
    const sure = await confirm({
      title: `Delete ${userID}?`, action: suppress ? 'Delete and block' : 'Delete', phrase: userID,
      text: `Profile, events and everything computed from them go, also from the log. ${suppress ? 'New calls with this user id are turned away.' : 'New calls with this user id begin a new profile.'} Destinations keep what they have: delete the person there too.`,
    });
    if (!sure) return;
    await api.post('/regulations', {
      regulationType: suppress ? 'SUPPRESS_WITH_DELETE_INTERNAL' : 'DELETE_INTERNAL', subjectType: 'USER_ID', subjectIds: [userID],
    });
    toast('Deleted. The log is rewritten in the background.');
    location.hash = '#/profiles';
  });
  return card('Delete this person', [
    h('p', { class: 'quiet' }, 'For requests to be forgotten. This can’t be undone.'),
    h('div', { class: 'actions', style: { 'margin-top': '.75rem' } },
      button('Delete…', act(false), { kind: 'danger', name: 'trash' }),
      button('Delete and block new data…', act(true), { kind: 'danger', name: 'trash' })),
  ]);
}

function identitiesTable(profile) {
  return card(null, table([
    { name: 'Type', cell: (row) => h('code', null, row.type) },
    { name: 'Value', cell: (row) => copyable(row.value) },
    { name: 'Source', cell: (row) => row.sourceName ?? row.sourceId },
    { name: 'First mapped', tone: 'tight', cell: (row) => time(row.createdAt) },
  ], profile.identities, { label: 'Identities' }), { className: 'flush' });
}

function accountsTab(profile) {
  const linked = profile.collection === 'users' ? profile.accounts : profile.users;
  if (linked.length === 0) {
    return empty(profile.collection === 'users'
      ? 'Part of no account. A group call with this person’s id and a groupId links them.' : 'No users linked yet.');
  }
  return card(null, table([
    { name: profile.collection === 'users' ? 'Account' : 'User', cell: (row) => [person(row), h('span', { class: 'sub' }, personDetail(row))] },
  ], linked, { href: (row) => `#/profiles/${row.id}`, label: 'Linked profiles' }), { className: 'flush' });
}

async function deliveriesTab(profile, context) {
  const { destinations } = await api.get('/destinations', context.signal);
  if (destinations.length === 0) return empty('No destination is set up, so nothing was sent about this profile.');
  const lists = destinations.map((destination) => {
    const list = pagedList(async (cursor) => {
      const data = await api.get(`/destinations/${destination.id}/emissions${query({ profile: profile.id, count: 25, cursor })}`, context.signal);
      return { rows: data.emissions, pagination: data.pagination };
    }, (rows) => table([
      { name: 'When', tone: 'tight', cell: (row) => time(row.at) },
      { name: 'What', cell: (row) => [h('code', null, row.kind), ' ', row.computationName ?? row.computationId] },
      { name: 'Outcome', tone: 'tight', cell: (row) => status(row.state) },
      { name: '', cell: (row) => [row.detail, row.attemptId && [' ', h('a', { href: `#/destinations/${destination.id}/deliveries?attempt=${row.attemptId}` }, 'request and answer')]] },
    ], rows, { label: `Deliveries to ${destination.name}` }),
    () => h('div', { class: 'empty' }, h('p', null, `${destination.name} was told nothing about this profile.`)));
    return card(destination.name, list.node, { className: 'flush' });
  });
  return [h('p', { class: 'quiet' }, profile.identities.some((id) => id.type === 'user_id')
    ? `What destinations were told about ${count(profile.identities.length, 'id')}.`
    : 'Braze’s users/track needs an identified user: this profile has no user id yet.'), ...lists];
}

const empty = (text) => h('div', { class: 'empty' }, h('p', null, text));
