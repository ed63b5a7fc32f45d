// What sending costs and what was held back: data points, spikes, the circuit breaker, the comparison with what a
// destination holds, and the estimate before a connection is made.

import { api, query } from './api.js';
import { columns, progress } from './charts.js';
import { h, replace } from './dom.js';
import { count, duration, number, time, value } from './format.js';
import { button, card, checkbox, confirm, doing, failure, field, figure, loading, notice, select, status, table, toast } from './widgets.js';

/** Banners for audiences that change unusually fast, with what can be done about each. */
export function spikeNotices(item, path, changed) {
  const end = (spike, action, said) => doing(async () => {
    if (action === 'discard') {
      const sure = await confirm({
        title: `Discard what waits of “${spike.computationName}”?`, action: 'Discard',
        text: `${count(spike.waiting, 'call')} to ${item.name} are dropped. Values there stay as they are until they change again, or until a comparison repairs them.`,
      });
      if (!sure) return;
    }
    await api.post(`${path}/spikes/${encodeURIComponent(spike.computationId)}/${action}`);
    toast(said);
    await changed();
  });
  return (item.spikes ?? []).map((spike) => (spike.state === 'held'
    ? notice('bad', `“${spike.computationName}” changes unusually fast: ${item.name} is not told until you decide.`,
      `${spike.reason}. ${count(spike.waiting, 'call')} wait. Look at its definition and at what your sources send.`, [
        button('Discard…', end(spike, 'discard', 'Discarded.'), { kind: 'danger' }),
        button('Let It Go', end(spike, 'release', 'What waited is sent now.'), { kind: 'primary', name: 'play' })])
    : notice('warn', `“${spike.computationName}” changes unusually fast.`, `${spike.reason}. Everything is sent.`, [
      button('All right', end(spike, 'release', 'Noted: it is not looked at for a day.'))])));
}

/** Data points of the last month, in all and by audience. */
export function dataPointsCard(path, signal) {
  const body = h('div', { class: 'stack' }, loading());
  async function draw() {
    const { dataPoints } = await api.get(`${path}/data-points${query({ days: 30 })}`, signal);
    replace(body,
      h('div', { class: 'figures' }, figure('Today', number(dataPoints.today), 'since midnight UTC'),
        figure('Last 30 days', number(dataPoints.total), 'values set and events acknowledged')),
      columns(dataPoints.days.map((day) => ({ at: day.day, value: day.points })), 'data points', 'accent',
        { name: (point) => point.at, caption: 'last 30 days' }),
      dataPoints.computations.length > 0 && table([
        { name: 'Audience or trait', cell: (row) => row.name },
        { name: 'Today', tone: 'number', cell: (row) => number(row.today) },
        { name: 'Last 30 days', tone: 'number', cell: (row) => number(row.total) },
      ], dataPoints.computations, { label: 'Data points by audience or trait' }));
  }
  draw().catch((error) => error.name !== 'AbortError' && replace(body, failure(error)));
  return { node: card('Data points', body), refresh: draw };
}

const breakerModes = [['off', 'Off'], ['warn', 'Warn: say so and go on'], ['stop', 'Stop: hold it until somebody decides']];

/** When sending an audience on is stopped because it changes for too many people at once. */
export function breakerCard(destination, path) {
  const settings = { ...destination.circuitBreaker };
  const input = (name, scale = 1) => h('input', {
    type: 'number', min: 0, step: 'any', value: settings[name] * scale,
    oninput: (event) => { settings[name] = Number(event.target.value) / scale; },
  });
  const problem = h('div');
  return card('Circuit breaker', h('div', { class: 'stack' },
    h('p', { class: 'quiet' }, 'A wrong definition or a broken tracking call can change an audience for everybody at once. First syncs do not count.'),
    field('When an audience or trait changes unusually fast', select(breakerModes, settings.mode, (mode) => { settings.mode = mode; })),
    field('More changes in an hour than usual, times', input('factor'), { hint: 'The usual is the hourly average of the week before.' }),
    field('Or more in a day than this share of its members, in percent', input('memberShare', 100)),
    field('But never for fewer changes than', input('minimumChanges')),
    problem, h('div', { class: 'actions' }, button('Save Circuit Breaker', doing(async () => {
      try {
        await api.patch(path, { circuitBreaker: settings });
        replace(problem);
        toast('Saved.');
      } catch (error) {
        replace(problem, notice('bad', 'Not saved.', error.message));
      }
    }), { kind: 'primary' }))));
}

/** Compares what the destination holds with what Muster knows, and repairs it. */
export function reconcileTab({ destination, context, path }) {
  const result = h('div', { class: 'stack' });
  const options = { mode: 'sample', people: 'members' };
  const begin = (repair) => doing(async () => {
    if (repair) {
      const sure = await confirm({
        title: `Repair ${destination.name}?`, action: 'Repair', danger: false,
        text: 'It is compared again, and values that differ are set to what Muster knows. Each costs a data point; no events are sent.',
      });
      if (!sure) return;
    }
    const { reconciliation } = await api.post(`${path}/reconcile`, { ...options, repair });
    show(reconciliation);
  });
  const stop = doing(async () => { await api.post(`${path}/reconcile/stop`); await refresh(); });

  function show(run) {
    if (!run) {
      replace(result, h('div', { class: 'empty' }, h('p', null, 'Nothing was compared since the server started.')));
      return;
    }
    const drift = run.missing + run.differing + run.extra;
    const isRunning = run.status === 'RUNNING';
    replace(result,
      isRunning && card(run.repair ? 'Comparing and repairing' : 'Comparing', h('div', { class: 'stack' }, progress(run.done, run.total, 'Comparison'),
        h('p', { class: 'quiet' }, `${count(run.compared, 'person', 'people')} compared in ${count(run.requests, 'request')}`),
        h('div', { class: 'actions' }, button('Stop', stop)))),
      run.failureReason && notice('bad', 'The comparison ended early.', run.failureReason),
      !isRunning && !run.failureReason && notice(drift === 0 ? 'good' : run.repaired > 0 ? 'good' : 'warn',
        drift === 0 ? 'They agree.' : run.repaired > 0 ? `${count(run.repaired, 'value')} are being repaired.` : `${count(drift, 'value')} differ.`,
        `${run.mode === 'full' ? 'Everybody' : 'A sample'}: ${count(run.compared, 'person', 'people')} in ${count(run.requests, 'request')}.`,
        drift > 0 && run.repaired === 0 ? [button('Repair…', begin(true), { kind: 'primary' })] : []),
      card(null, h('div', { class: 'figures' },
        figure('Agree', number(run.agreeing), 'values'),
        figure('Missing', number(run.missing), `known here, not in ${destination.name}`),
        figure('Differing', number(run.differing), 'another value there'),
        figure('Extra', number(run.extra), 'there, though it should not be'),
        figure('Not compared', number(run.inMotion + run.notFindable + run.ambiguous), `values: ${[`${number(run.inMotion)} just changing`, `${number(run.notFindable)} of people without a user id`, run.ambiguous > 0 && `${number(run.ambiguous)} of people in several accounts`].filter(Boolean).join(', ')}`),
        figure('Started', time(run.startedAt), run.repaired ? `${number(run.repaired)} repaired` : ''))),
      run.computations.length > 0 && card('By audience and trait', table([
        { name: 'Name', cell: (row) => row.name },
        { name: 'Agree', tone: 'number', cell: (row) => number(row.agreeing) },
        { name: 'Missing', tone: 'number', cell: (row) => number(row.missing) },
        { name: 'Differing', tone: 'number', cell: (row) => number(row.differing) },
        { name: 'Extra', tone: 'number', cell: (row) => number(row.extra) },
      ], run.computations, { label: 'Comparison by audience and trait' }), { className: 'flush' }),
      run.drifts.length > 0 && card(run.drifts.length < drift ? `The first ${run.drifts.length} differences` : 'Differences', table([
        { name: 'Profile', cell: (row) => h('a', { href: `#/profiles/${row.profileId}` }, row.profileName ?? row.person) },
        { name: 'Attribute', cell: (row) => h('code', null, row.attribute) },
        { name: 'Kind', tone: 'tight', cell: (row) => status(row.kind) },
        { name: 'Muster', cell: (row) => value(row.expected) },
        { name: destination.name, cell: (row) => value(row.held) },
      ], run.drifts, { label: 'Differences' }), { className: 'flush' }));
  }

  async function refresh() {
    show((await api.get(`${path}/reconcile`, context.signal)).reconciliation);
  }

  context.every(1500, refresh);
  return refresh().then(() => h('div', { class: 'stack' },
    card('Compare', h('div', { class: 'stack' },
      h('p', { class: 'quiet' }, `Asks ${destination.name} what it holds and compares it with what Muster knows. Braze allows 250 requests of 50 people a minute; the API key needs the permission users.export.ids.`),
      field('How many', select([['sample', 'A sample of 500 people'], ['full', 'Everybody']], options.mode, (mode) => { options.mode = mode; })),
      checkbox('Also people who never were a member', false, (on) => { options.people = on ? 'all' : 'members'; },
        { hint: 'Finds values there that nobody should have.' }),
      h('div', { class: 'actions' }, button('Compare', begin(false), { kind: 'primary' })))), result));
}

/** What connecting, or a change of settings, would cost, asked anew when the settings change. `subject` names the audience or its query. */
export function estimateNote(destinationId, subject) {
  const node = h('div', { class: 'estimate', role: 'status' });
  let turn = 0;
  async function ask(settings) {
    turn += 1;
    const mine = turn;
    replace(node, h('p', { class: 'quiet' }, 'Estimating…'));
    try {
      const { estimate } = await api.post(`/destinations/${destinationId}/estimate`, { ...subject, connectionSettings: settings });
      if (mine !== turn) return;
      replace(node, notice('info', estimate.isUpdate ? 'When you save' : 'Before you connect', `${estimate.text}${estimate.seconds > 60 ? ` That takes about ${duration(estimate.seconds * 1000)}.` : ''}`));
    } catch (error) {
      if (mine === turn) replace(node, notice('warn', 'No estimate.', error.message));
    }
  }
  return { node, ask };
}
