// One audience or computed trait: Overview, Builder, Destinations, Settings.

import { api, ApiError, query as parameters } from '../api.js';
import { fromAPI } from '../builder-model.js';
import { definitionEditor } from '../definition-editor.js';
import { estimateNote } from '../destination-economy.js';
import { debounce, h, replace } from '../dom.js';
import { columns } from '../charts.js';
import { count, number, time, value } from '../format.js';
import { instantPicker } from '../instant-picker.js';
import { forgetSchema } from '../schema.js';
import {
  backfillBar, button, card, checkbox, confirm, connectionSettings, defaultSettings, doing, emptyState, field, figure,
  linkButton, loading, notice, pagedList, pageHead, person, personDetail, realtimeMark, sideSheet, status, table, tabs, toast,
} from '../computation-parts.js';
import { kinds } from './computations.js';
import { settingsFor, summary } from './new-computation.js';

const tabNames = [['Overview', ''], ['Builder', '/builder'], ['Destinations', '/destinations'], ['Settings', '/settings']];

export function computationPage(kindName) {
  const kind = kinds[kindName];
  return async (context) => {
    const path = `${kind.path}/${encodeURIComponent(context.parameters.id)}`;
    const read = async () => (await api.get(path, context.signal))[kind.single];
    const item = await read();
    const base = `#/${kind.route}/${item.id}`;
    const tab = context.parameters.tab ?? 'overview';
    const views = { overview: overviewTab, builder: builderTab, destinations: destinationsTab, settings: settingsTab };
    const view = views[tab] ?? overviewTab;
    const page = { context, kind, kindName, path, read, item };
    return [
      pageHead(item.name, {
        trail: [[kind.title, `#/${kind.route}`]], note: item.description,
        actions: [tab !== 'builder' && item.computeCadence.type === 'REALTIME' && realtimeMark('Changes take effect at once, also those that time makes.')],
      }),
      tabs(tabNames.map(([name, suffix]) => [name, base + suffix]), base + (views[tab] && tab !== 'overview' ? `/${tab}` : '')),
      await view(page),
    ];
  };
}

async function overviewTab({ context, kind, kindName, path, read, item }) {
  const facts = h('div', { class: 'stack' });
  const unit = item.audienceType === 'ACCOUNTS' ? 'accounts' : 'users';

  function show(current) {
    replace(facts,
      card(null, h('div', { class: 'figures' },
        figure(kind.unit, number(current.size.count), unit),
        figure('Status', status(current.status), current.enabled ? statusWords(current) : 'no computing; values stay in destinations'),
        figure('Destinations', number(current.connections.length), current.connections.map((one) => one.destination.name).join(', ') || 'stays on the profiles'),
        figure('Created', time(current.createdAt), ['changed ', time(current.updatedAt)]))),
      current.backfill && card('Historical backfill', backfillBar(current.backfill)));
  }

  show(item);
  let search = '';
  let at;
  const whyLink = (row) => `#/${kind.route}/${item.id}/why/${encodeURIComponent(row.profileId)}${parameters({ at })}`;
  const members = pagedList(async (cursor) => {
    const data = await api.get(`${path}/members${parameters({ count: 25, cursor, search, at })}`, context.signal);
    return { rows: data.members, pagination: data.pagination };
  }, (rows) => table([
    { name: 'Name', cell: (row) => [person(row), h('span', { class: 'sub' }, kindName === 'trait' ? personDetail(row) : (row.name ?? row.email) && (row.userId ?? row.groupId))] },
    kindName === 'trait'
      ? { name: 'Value', cell: (row) => h('strong', null, value(row.value)) }
      : { name: 'E-mail', cell: (row) => row.email ?? h('span', { class: 'quiet' }, '–') },
    !at && { name: kindName === 'trait' ? 'Since' : 'Member since', tone: 'tight', cell: (row) => time(row.since) },
    !at && { name: kindName === 'trait' ? 'Changes' : 'Leaves', tone: 'tight', cell: (row) => nextChange(row.nextChange, kindName) },
    { name: '', tone: 'tight', cell: (row) => h('a', { href: whyLink(row) }, 'Why?') },
  ].filter(Boolean), rows, { href: (row) => `#/profiles/${row.profileId}`, label: 'Members' }),
  () => h('div', { class: 'empty' }, h('p', null, search
    ? ['Nobody in here has exactly this id or e-mail address. ', h('a', { href: whyLink({ profileId: search }) }, 'Why not?')]
    : at ? `Nobody was in at that time.`
    : kindName === 'trait' ? 'Nobody has a value right now. It appears with the first event that counts.'
      : 'Nobody is in right now. People appear here the moment they qualify.')));
  const restart = debounce(250, members.restart);
  const references = kindName === 'audience' ? (await api.get(`${path}/audience-references`, context.signal)).audienceReferences : [];
  const departures = h('div');
  const draw = async () => {
    const { nextChanges } = await api.get(`${path}/next-changes`, context.signal);
    replace(departures, comingChanges(nextChanges, kindName, unit));
  };
  await Promise.all([members.ready, draw()]);
  context.every(2500, async () => {
    const current = await read();
    show(current);
    // The past does not change.
    if (!at) await members.refresh();
  });
  context.every(30_000, draw);
  return h('div', { class: 'stack' }, facts,
    card('Definition', [h('code', { class: 'query-text' }, item.definition.query),
      item.options.includeHistoricalData ? null : h('p', { class: 'quiet' }, 'Only events received after creation count.'),
      item.options.filterByExternalIds.includes('anonymous_id') && h('p', { class: 'quiet' }, 'Includes anonymous users.'),
      references.length > 0 && h('p', null, 'Used by: ', references.map((one, index) =>
        [index > 0 && ', ', h('a', { href: `#/${one.type === 'AUDIENCE' ? 'audiences' : 'traits'}/${one.id}` }, one.name)]))]),
    departures,
    card(kindName === 'trait' ? 'Profiles' : 'Audience explorer', [
      h('div', { class: 'search', style: { padding: '0 1.15rem .75rem' } }, h('input', {
        type: 'search', placeholder: 'Find by id or e-mail address', 'aria-label': 'Find members',
        oninput: (event) => { search = event.target.value.trim(); restart(); },
      }), instantPicker('As of', (instant) => { at = instant; members.restart(); })), members.node,
    ], { className: 'flush', actions: [h('a', { class: 'button plain', href: `${path}/members.csv`, download: `${item.key}.csv` }, 'Download CSV')] }));
}

function nextChange(change, kindName) {
  if (!change) return h('span', { class: 'quiet' }, 'not by itself');
  if (!change.at) return ['not before ', time(change.notBefore)];
  return kindName === 'trait' ? [time(change.at), ` → ${value(change.value)}`] : time(change.at);
}

/** When how many change if nothing happens. */
function comingChanges(changes, kindName, unit) {
  if (changes.profiles === 0) return null;
  const verb = kindName === 'trait' ? 'change' : 'leave';
  const soon = changes.buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  return card(kindName === 'trait' ? 'When values change' : 'When people leave', [
    soon > 0 && columns(changes.buckets.map((bucket) => ({ at: bucket.from, value: bucket.count })), `${unit} a day`, 'warm', {
      name: (point) => new Date(point.at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' }),
      caption: `next ${changes.days} days`,
    }),
    h('p', { class: 'quiet' }, changes.never === changes.profiles ? `Time alone changes nothing: nobody ${kindName === 'trait' ? 'gets another value' : 'leaves'} unless something happens.`
      : `If nothing happens, ${number(soon)} ${unit} ${verb} within ${changes.days} days, ${number(changes.later)} later, and ${number(changes.never)} not by themselves.`,
      changes.unknown > 0 && ` For ${number(changes.unknown)} it is too far ahead to tell.`),
  ]);
}

function statusWords(item) {
  if (item.backfill) return 'reading history';
  return item.status === 'Live' ? 'people enter and leave as they qualify' : '';
}

async function builderTab({ context, kind, kindName, path, item }) {
  forgetSchema();
  const { check } = await api.post('/spaces/spa_muster/queries/check', {
    query: item.definition.query, type: kindName === 'audience' ? 'AUDIENCE' : 'COMPUTED_TRAIT', audienceType: item.audienceType, key: item.key,
  }, context.signal);
  const state = {
    level: item.audienceType, query: item.definition.query, options: item.options, model: fromAPI(kindName, check.builder),
  };
  const save = button(kindName === 'audience' ? 'Save Audience' : 'Save Computed Trait', doing(async () => {
    await api.patch(path, { definition: { query: state.query } });
    toast('Saved. Everybody is evaluated again; only those who change are told to destinations.');
    location.hash = `#/${kind.route}/${item.id}`;
  }), { kind: 'primary', disabled: true });
  const editor = definitionEditor({
    kindName, kind, state, self: item.key, signal: context.signal,
    changed: (result) => { save.disabled = !result?.valid || result.query === item.definition.query; },
  });
  return [
    h('div', { class: 'row spread' }, h('h2', null, kindName === 'audience' ? 'This audience contains…' : 'This trait is…'), editor.mark),
    h('div', { class: 'columns-2' }, h('div', { class: 'stack' }, editor.node, h('div', { class: 'actions' }, save)), editor.preview),
  ];
}

async function destinationsTab({ context, kind, kindName, path, item }) {
  const body = h('div', { class: 'stack' }, loading());

  async function draw() {
    const [{ connections }, { destinations }] = await Promise.all([
      api.get(`${path}/destination-connections`, context.signal), api.get('/destinations', context.signal),
    ]);
    const free = destinations.filter((one) => !connections.some((connection) => connection.destination.id === one.id));
    const add = free.map((one) => button(`Add ${one.name}`, () => edit(one, defaultSettings(), true), { kind: 'primary', name: 'plus' }));
    replace(body, connections.length === 0
      ? emptyState('Stays on the profiles', `No destination hears of this ${kind.one} yet. Connected, it gets everybody at once and then every change.`,
        ...(add.length > 0 ? add : [linkButton('Add Braze', '#/destinations/new', { kind: 'primary' })]))
      : [card(null, table([
        { name: 'Destination', cell: (row) => h('a', { class: 'row-link', href: `#/destinations/${row.destination.id}` }, row.destination.name) },
        { name: 'Sends', cell: (row) => summary(kindName, row.connectionSettings) },
        { name: 'Destination status', tone: 'tight', cell: (row) => status(row.status) },
        { name: 'Sync status', tone: 'tight', cell: () => status(item.status) },
        {
          name: '', tone: 'tight', cell: (row) => h('div', { class: 'row' },
            button('Settings', () => edit(row.destination, row.connectionSettings, false), { name: 'gear' }),
            button('Remove', doing(() => remove(row.destination)), { kind: 'danger' })),
        },
      ], connections, { label: 'Destinations' }), { className: 'flush' }), h('div', { class: 'actions' }, add)]);
  }

  function edit(destination, current, isNew) {
    const settings = { ...defaultSettings(), ...current };
    const problem = h('div');
    const save = button('Save Settings', doing(async () => {
      try {
        if (isNew) {
          await api.post(`${path}/destination-connections`, {
            destination: { id: destination.id, type: 'destination' }, connectionSettings: settingsFor(kindName, settings),
          });
        } else {
          await api.patch(`${path}/destination-connections/${destination.id}`, { connectionSettings: settingsFor(kindName, settings) });
        }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        replace(problem, notice('bad', 'Not saved.', error.message));
        return;
      }
      close();
      toast(isNew ? `Connected to ${destination.name}: ${settings.firstSync === 'none' ? 'changes are sent from now on.' : 'everybody is sent now, changes from then on.'}` : 'Saved.');
      await draw();
    }), { kind: 'primary' });
    const estimate = estimateNote(destination.id, { computationId: item.id });
    const ask = debounce(400, () => estimate.ask(settingsFor(kindName, settings)));
    ask();
    const close = sideSheet(`${destination.name}: connection settings`, [
      connectionSettings(kindName, settings, item.key, ask, { isNew }), estimate.node, problem,
      h('div', { class: 'actions' }, save)]);
  }

  async function remove(destination) {
    const sure = await confirm({
      title: `Remove ${destination.name}?`, action: 'Remove',
      text: `Nothing more is sent for “${item.name}”. What ${destination.name} has already received stays there.`,
    });
    if (!sure) return;
    await api.remove(`${path}/destination-connections/${destination.id}`);
    await draw();
  }

  await draw();
  return body;
}

function settingsTab({ kind, kindName, path, item }) {
  const changes = { name: item.name, description: item.description ?? '', enabled: item.enabled };
  const problem = h('div');
  const name = h('input', { type: 'text', value: item.name, maxlength: 255, oninput: (event) => { changes.name = event.target.value; } });
  const save = button('Update Settings', doing(async () => {
    try {
      await api.patch(path, changes);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(problem, notice('bad', 'Not saved.', error.message));
      return;
    }
    toast('Saved.');
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  }), { kind: 'primary' });
  const deletion = button(`Delete ${kindName === 'audience' ? 'Audience' : 'Trait'}…`, doing(async () => {
    const sure = await confirm({
      title: `Delete “${item.name}”?`, action: 'Delete', phrase: item.key,
      text: `Computing ends for ${count(item.size.count, 'profile')}; they keep “${item.key}” as a custom trait. Nothing is removed in destinations. The key can’t be used again.`,
    });
    if (!sure) return;
    await api.remove(path);
    toast('Deleted.');
    location.hash = `#/${kind.route}`;
  }), { kind: 'danger', name: 'trash' });
  return h('div', { class: 'stack' },
    card(null, h('div', { class: 'stack' },
      field(kindName === 'audience' ? 'Audience name' : 'Computed trait name', name),
      h('p', null, `${kindName === 'audience' ? 'Audience' : 'Trait'} key: `, h('span', { class: 'chip' }, item.key), h('span', { class: 'sub' }, 'Never changes.')),
      field('Description', h('textarea', { rows: 2, value: changes.description, oninput: (event) => { changes.description = event.target.value; } }), { optional: true }),
      checkbox('Enabled', item.enabled, (on) => { changes.enabled = on; }, { hint: 'Off: no computing and no sending. Values that destinations have stay there.' }),
      problem, h('div', { class: 'actions' }, save))),
    card('Delete', [h('p', { class: 'quiet' }, item.enabled
      ? 'Switch it off above and update the settings first. Then it can be deleted.'
      : 'This can’t be undone.'), h('div', { class: 'actions', style: { 'margin-top': '.75rem' } }, (() => {
      deletion.disabled = item.enabled;
      return deletion;
    })())]));
}

