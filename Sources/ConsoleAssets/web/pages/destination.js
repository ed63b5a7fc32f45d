// One destination: its queue, what was sent with request and answer, what is connected, its settings.

import { api, query, space } from '../api.js';
import { breakerCard, dataPointsCard, reconcileTab, spikeNotices } from '../destination-economy.js';
import { destinationForm } from '../destination-form.js';
import { eventTester } from '../event-tester.js';
import { sourceConnections } from '../source-connections.js';
import { h, replace } from '../dom.js';
import { clockTime, count, duration, number, time } from '../format.js';
import {
  button, card, checkbox, confirm, doing, figure, json, notice, pagedList, pageHead, sideSheet, status, table, tabs, toast,
} from '../computation-parts.js';
import { summary } from './new-computation.js';

export async function destinationPage(context) {
  const path = `/destinations/${encodeURIComponent(context.parameters.id)}`;
  const read = async () => (await api.get(path, context.signal)).destination;
  const destination = await read();
  const base = `#/destinations/${destination.id}`;
  const entries = [
    ['Overview', '', overviewTab], ['Deliveries', '/deliveries', deliveriesTab], ['Parked', '/parked', parkedTab],
    ['Event Tester', '/tester', eventTester], ['Compare', '/compare', reconcileTab],
    ['Settings', '/settings', settingsTab],
  ];
  const current = entries.find(([, suffix]) => suffix === `/${context.parameters.tab}`) ?? entries[0];
  const banner = h('div');
  const show = (item) => replace(banner, h('div', { class: 'stack' },
    pauseNotice(item, path), spikeNotices(item, path, async () => show(await read()))));
  show(destination);
  context.every(3000, async () => show(await read()));
  return [
    pageHead(destination.name, { trail: [['Destinations', '#/destinations']], note: destination.address, actions: [status(destination.state.status)] }),
    banner,
    tabs(entries.map(([name, suffix]) => [name, base + suffix]), base + current[1]),
    await current[2]({ destination, context, path, read }),
  ];
}

function pauseNotice(item, path) {
  if (!item.state.paused) return null;
  return notice('bad', `Sending to ${item.name} has stopped. Nothing is lost: ${count(item.state.waiting, 'call')} wait.`, item.state.paused.reason, [
    h('a', { class: 'button plain', href: `#/destinations/${item.id}/settings` }, 'Settings'),
    button('Resume', doing(async () => {
      await api.post(`${path}/resume`);
      toast('Resumed: what waited is sent now.');
    }), { kind: 'primary', name: 'play' })]);
}

async function overviewTab({ destination, context, read }) {
  const queue = h('div', { class: 'figures' });
  const show = ({ state }) => replace(queue,
    figure('Waiting', number(state.waiting), 'calls in the queue'),
    figure('Delivered', number(state.delivered), 'calls acknowledged'),
    figure('Parked', number(state.parked), state.parked > 0 ? h('a', { href: `#/destinations/${destination.id}/parked` }, 'see why') : 'calls set aside'),
    figure('Saved', number(state.coalesced + state.unchanged), 'calls not needed: a newer value, or the same as before'),
    figure('Requests', number(state.attempts), `${number(state.failedAttempts)} not fully delivered`),
    figure('Unknown outcomes', number(state.unknownOutcomes), `${count(state.possibleDuplicates, 'event')} may have arrived twice`));
  show(destination);
  const points = dataPointsCard(`/destinations/${destination.id}`, context.signal);
  context.every(2000, async () => show(await read()));
  context.every(10_000, points.refresh);
  const [{ audiences }, { computedTraits }] = await Promise.all([
    api.get(`${space}/audiences?count=200`, context.signal), api.get(`${space}/computed-traits?count=200`, context.signal),
  ]);
  const rows = [...audiences.map((item) => ({ item, route: 'audiences', kindName: 'audience' })),
    ...computedTraits.map((item) => ({ item, route: 'traits', kindName: 'trait' }))]
    .flatMap((row) => {
      const connection = row.item.connections.find((one) => one.destination.id === destination.id);
      return connection ? [{ ...row, connection }] : [];
    });
  const connected = await sourceConnections(destination, context);
  return h('div', { class: 'stack' }, card('Queue', queue), points.node, connected,
    card('Connected audiences and traits', rows.length === 0
      ? h('div', { class: 'empty' }, h('p', null, 'None yet. Open an audience or trait and add this destination there.'),
        h('div', { class: 'actions' }, h('a', { class: 'button plain', href: '#/audiences' }, 'Open Audiences')))
      : table([
        { name: 'Name', cell: (row) => row.item.name },
        { name: 'Sends', cell: (row) => summary(row.kindName, row.connection.connectionSettings) },
        { name: 'Profiles', tone: 'number', cell: (row) => number(row.item.size.count) },
        { name: 'Status', tone: 'tight', cell: (row) => status(row.connection.status) },
      ], rows, { href: (row) => `#/${row.route}/${row.item.id}`, label: 'Connected audiences and traits' }), { className: 'flush' }));
}

async function deliveriesTab({ destination, context, path }) {
  const asked = context.query.get('attempt');
  if (asked) queueMicrotask(() => openAttempt(path, asked).catch((error) => toast(error.message)));
  const list = pagedList(async (cursor) => {
    const data = await api.get(`${path}/deliveries${query({ count: 50, cursor })}`, context.signal);
    return { rows: data.deliveries, pagination: data.pagination };
  }, (rows) => attemptTable(rows, (row) => openAttempt(path, row.id)),
  () => h('div', { class: 'empty' }, h('p', null, `Nothing was sent to ${destination.name} yet.`)));
  await list.ready;
  context.every(3000, list.refresh);
  return card(null, list.node, { className: 'flush' });
}

/** Requests as rows that open; `brief` leaves the address out. */
export function attemptTable(rows, open, { brief = false } = {}) {
  return table([
    { name: 'Sent', tone: 'tight', cell: (row) => button(clockTime(row.at), doing(() => open(row)), { kind: 'text' }) },
    { name: 'Outcome', tone: 'tight', cell: (row) => status(row.outcome) },
    { name: 'Answer', tone: 'tight', cell: (row) => (row.status === null || row.status === undefined ? 'none' : String(row.status)) },
    { name: 'Objects', tone: 'number', cell: (row) => number(row.objectCount) },
    { name: 'Took', tone: 'number', cell: (row) => duration(row.elapsedMilliseconds) },
    ...(brief ? [] : [{ name: 'Request', cell: (row) => h('code', null, row.endpoint) }]),
  ], rows, { label: 'Requests' });
}

/** One request with its answer and what it meant for each call in it. */
export async function openAttempt(path, id) {
  const { delivery } = await api.get(`${path}/deliveries/${encodeURIComponent(id)}`);
  sideSheet('Request and answer', [
    h('div', { class: 'row' }, status(delivery.outcome), time(delivery.at), h('span', { class: 'quiet' }, duration(delivery.elapsedMilliseconds))),
    delivery.duplicateRisk && notice('warn', 'No answer came.', 'Whether it took effect is not known. It was sent again; events in it may count twice in Braze.'),
    h('h3', null, 'Request'), h('code', { class: 'query-text' }, delivery.endpoint),
    delivery.request === null || delivery.request === undefined ? h('p', { class: 'quiet' }, 'Bodies are kept for the newest requests only.') : json(delivery.request),
    h('h3', null, `Answer${delivery.status ? ` ${delivery.status}` : ''}`),
    delivery.response === null || delivery.response === undefined ? h('p', { class: 'quiet' }, 'None kept.') : json(delivery.response),
    h('h3', null, count(delivery.emissions.length, 'call')),
    emissionTable(delivery.emissions),
  ]);
}

/** Calls and what became of them; with `path` each leads to its request. Of one person the name says nothing. */
export function emissionTable(rows, { path, redrive, ofOne = false } = {}) {
  return table([
    ...(ofOne ? [] : [{ name: 'Profile', cell: (row) => h('a', { href: `#/profiles/${row.profileId}` }, row.profileName ?? h('code', null, row.profileId)) }]),
    { name: 'What', cell: (row) => [h('code', null, row.kind), ' ', row.computationName ?? row.computationId] },
    { name: 'Outcome', cell: (row) => [status(row.state), row.detail && h('span', { class: 'sub' }, row.detail)] },
    ...(path ? [{ name: '', tone: 'tight', cell: (row) => row.attemptId && button(clockTime(row.at), doing(() => openAttempt(path, row.attemptId)), { kind: 'text' }) }] : []),
    ...(redrive ? [{ name: '', tone: 'tight', cell: (row) => button('Redrive', doing(() => redrive(row))) }] : []),
  ], rows, { label: 'Calls' });
}

async function parkedTab({ destination, context, path }) {
  const list = pagedList(async (cursor) => {
    const data = await api.get(`${path}/emissions${query({ state: 'parked', count: 50, cursor })}`, context.signal);
    return { rows: data.emissions, pagination: data.pagination };
  }, (rows) => emissionTable(rows, { redrive: (row) => redrive({ emissions: [row.id] }) }),
  () => h('div', { class: 'empty' }, h('p', null, 'Nothing is set aside. What a destination rejects stands here alone, with its words; the rest of its batch is delivered.')));
  const groups = h('div');

  /** Says first how many are meant, then sends them again. */
  async function redrive(filter) {
    const { matching } = await api.post(`${path}/redrive`, { ...filter, dryRun: true });
    if (matching > 1) {
      const sure = await confirm({
        title: `Send ${count(matching, 'call')} again?`, action: 'Redrive', danger: false,
        text: `What ${destination.name} rejects again comes back here. Set right first what it complains of.`,
      });
      if (!sure) return;
    }
    const { redriven } = await api.post(`${path}/redrive`, filter);
    toast(`${count(redriven, 'call')} will be sent again.`);
    await Promise.all([list.refresh(), drawGroups()]);
  }

  async function drawGroups() {
    const { parked } = await api.get(`${path}/parked`, context.signal);
    replace(groups, parked.length > 0 && card('Why', table([
      { name: `${destination.name}’s words`, cell: (row) => row.reason },
      { name: 'What', cell: (row) => [h('code', null, row.kind), ' ', row.computationName] },
      { name: 'Calls', tone: 'number', cell: (row) => number(row.count) },
      { name: 'Last', tone: 'tight', cell: (row) => time(row.lastAt) },
      { name: '', tone: 'tight', cell: (row) => button('Redrive', doing(() => redrive({ reason: row.reason, computationId: row.computationId, kind: row.kind }))) },
    ], parked, { label: 'Reasons' }), { className: 'flush', actions: [button('Redrive all', doing(() => redrive({})))] }));
  }

  await Promise.all([list.ready, drawGroups()]);
  context.every(4000, async () => { await Promise.all([list.refresh(), drawGroups()]); });
  return h('div', { class: 'stack' }, groups, card(`Set aside by ${destination.name}`, list.node, { className: 'flush' }));
}

async function settingsTab({ destination, context, path }) {
  const { catalog } = await api.get('/destinations/catalog', context.signal);
  const kind = catalog.find((one) => one.kind === destination.kind);
  const form = destinationForm(kind, destination, async (body) => {
    await api.patch(path, body);
    toast('Saved.');
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  }, 'Save Settings');
  return h('div', { class: 'stack' },
    card(null, form),
    breakerCard(destination, path),
    card('Sending', checkbox('Enabled', destination.enabled, (on) => {
      api.patch(path, { enabled: on }).then(() => toast(on ? 'Sending again.' : 'Nothing is sent; calls wait.'), (error) => toast(error.message));
    }, { hint: 'Off: nothing is sent; calls wait.' })),
    card('Delete', [h('p', { class: 'quiet' }, 'Connections to it go too. Nothing is removed in Braze.'),
      h('div', { class: 'actions', style: { 'margin-top': '.75rem' } }, button('Delete Destination…', doing(async () => {
        const sure = await confirm({
          title: `Delete “${destination.name}”?`, action: 'Delete', phrase: destination.name,
          text: `${count(destination.state.waiting, 'call')} that wait are dropped. This can’t be undone.`,
        });
        if (!sure) return;
        await api.remove(path);
        location.hash = '#/destinations';
      }), { kind: 'danger', name: 'trash' }))]));
}
