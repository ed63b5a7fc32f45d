// What flows: events in, memberships changing, calls out, and how far behind the engine is.

import { api, space } from '../api.js';
import { columns } from '../charts.js';
import { h, inUse, replace } from '../dom.js';
import { bytes, count, duration, number, time } from '../format.js';
import { icon } from '../icons.js';
import { card, figure, linkButton, pageHead, status as statusBadge, table } from '../widgets.js';

export async function overviewPage(context) {
  const body = h('div', { class: 'stack' });

  async function refresh() {
    const [{ status }, { sources }, { destinations }, { audiences }, { computedTraits }] = await Promise.all([
      api.get('/status', context.signal), api.get('/sources', context.signal),
      api.get('/destinations', context.signal), api.get(`${space}/audiences?count=200`, context.signal),
      api.get(`${space}/computed-traits?count=200`, context.signal),
    ]);
    if (inUse(body)) return;
    replace(body, firstSteps(status, sources, destinations, [...audiences, ...computedTraits]), flow(status),
      h('div', { class: 'halves' }, biggest(audiences), ends(sources, destinations)), installation(status));
  }

  await refresh();
  context.every(3000, refresh);
  return [pageHead('Overview', { note: 'Events come in, people enter and leave audiences, destinations are told.' }), body];
}

function flow(status) {
  const points = status.activity.points;
  const per = `per ${duration(status.activity.stepMilliseconds)}`;
  const series = (name) => points.map((point) => ({ at: point.at, value: point[name] }));
  const { rates, totals, engine } = status;
  const rate = (value) => `${value < 10 ? Math.round(value * 10) / 10 : number(Math.round(value))} /s`;
  return h('div', { class: 'cards flow' },
    card('Events in', [h('p', { class: 'big' }, rate(rates.callsPerSecond)),
      h('p', { class: 'quiet' }, `${number(totals.accepted)} accepted, `,
        h('a', { href: '#/debugger' }, `${number(totals.rejected)} rejected`), ' since the start'), columns(series('calls'), `calls ${per}`)]),
    card('Changes', [h('p', { class: 'big' }, rate(rates.transitionsPerSecond)),
      h('p', { class: 'quiet' }, `${count(totals.members, 'membership')} in ${count(totals.audiences, 'audience')}`),
      columns(series('transitions'), `changes ${per}`, 'warm')]),
    card('Delivered', [h('p', { class: 'big' }, rate(rates.deliveredPerSecond)),
      h('p', { class: 'quiet' }, `${number(totals.delivered)} in all, ${number(totals.waiting)} waiting, `,
        h('a', { href: '#/destinations' }, `${number(totals.parked)} parked`)),
      columns(series('delivered'), `calls ${per}`, 'cool')]),
    card('Lag', [h('p', { class: 'big' }, engine.lagRecords === 0 ? 'none' : count(engine.lagRecords, 'record')),
      h('p', { class: 'quiet' }, engine.lagRecords === 0
        ? 'Every accepted event is applied.' : `The engine is ${duration(engine.lagMilliseconds)} behind.`),
      h('dl', { class: 'facts' }, h('dt', null, 'Applied'), h('dd', null, number(engine.position)),
        h('dt', null, 'In the Log'), h('dd', null, number(engine.logEnd)))]));
}

function firstSteps(status, sources, destinations, computations) {
  const connected = computations.some((item) => item.connections.length > 0);
  const steps = [
    [status.totals.accepted > 0 || status.profiles.users > 0, 'Send events', 'Point a Segment SDK, or one curl command, at a source’s write key.',
      linkButton('Open Sources', sources.length === 1 ? `#/sources/${sources[0].id}` : '#/sources')],
    [destinations.length > 0, 'Connect Braze', 'Choose the data centre and enter a REST API key with the users.track permission.',
      linkButton('Add Braze', '#/destinations/new')],
    [computations.length > 0, 'Create an audience', 'Say who belongs to it; past events count from the first moment.',
      linkButton('New audience', '#/audiences/new')],
    [connected, 'Send it to Braze', 'As a custom attribute (identify), as custom events (track), or both.',
      linkButton('Open Audiences', '#/audiences')],
  ];
  if (steps.every(([done]) => done)) return null;
  return card('First steps', h('ol', { class: 'todo' }, steps.map(([done, title, text, action]) =>
    h('li', null, h('span', { class: done ? 'chosen' : '' }, h('span', { class: 'mark' }, icon('check'))),
      h('div', { class: done ? 'done' : '' }, h('strong', null, title), done && ' – done', h('span', { class: 'sub' }, text)),
      h('div', { class: 'actions' }, done ? null : action)))));
}

function biggest(audiences) {
  const rows = [...audiences].sort((left, right) => right.size.count - left.size.count).slice(0, 8);
  return card('Audiences', rows.length === 0
    ? h('p', { class: 'quiet' }, 'None yet.')
    : table([
      { name: 'Name', cell: (row) => row.name },
      { name: 'Members', tone: 'number', cell: (row) => number(row.size.count) },
      { name: 'Status', tone: 'tight', cell: (row) => statusBadge(row.status) },
    ], rows, { href: (row) => `#/audiences/${row.id}`, label: 'Audiences by size' }),
  { actions: [h('a', { href: '#/audiences' }, 'All')], className: 'flush' });
}

function ends(sources, destinations) {
  const rows = [
    ...sources.map((item) => ({
      name: item.name, href: `#/sources/${item.id}`, state: item.enabled ? 'Source' : 'Disabled',
      detail: item.lastSeenAt ? ['last call ', time(item.lastSeenAt)] : 'no call yet',
    })),
    ...destinations.map((item) => ({
      name: item.name, href: `#/destinations/${item.id}`, state: item.state.status,
      detail: [count(item.state.waiting, 'call'), ' waiting'],
    })),
  ];
  return card('Sources and destinations', rows.length === 0
    ? h('p', { class: 'quiet' }, 'None yet.')
    : table([
      { name: 'Name', cell: (row) => row.name },
      { name: 'Now', cell: (row) => row.detail },
      { name: 'Status', tone: 'tight', cell: (row) => (row.state === 'Source' ? '' : statusBadge(row.state)) },
    ], rows, { href: (row) => row.href, label: 'Sources and destinations' }), { className: 'flush' });
}

function installation(status) {
  return card('Installation', h('div', { class: 'figures' },
    figure('Users', number(status.profiles.users), 'profiles'),
    figure('Accounts', number(status.profiles.accounts), 'profiles'),
    figure('Repeats left out', number(status.totals.duplicates), 'calls sent twice, applied once'),
    figure('Memory', bytes(status.memory.residentBytes), 'resident'),
    figure('Running since', time(status.startedAt), `version ${status.version}`)));
}
