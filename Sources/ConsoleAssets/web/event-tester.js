// The event tester: one call, chosen or made up, on its way to a destination: what is made of it, the request, the answer.

import { api, query, space } from './api.js';
import { h, replace } from './dom.js';
import { duration } from './format.js';
import { badge, button, card, doing, field, json, notice, select } from './widgets.js';

const examples = {
  identify: { type: 'identify', userId: 'u_1001', traits: { email: 'kim@example.org', plan: 'pro' } },
  track: { type: 'track', userId: 'u_1001', event: 'Product Viewed', properties: { name: 'Sweater', price: 49.5 } },
  order: {
    type: 'track', userId: 'u_1001', event: 'Order Completed',
    properties: { order_id: 'o_1', products: [{ product_id: 'p_1', price: 49.5, quantity: 1 }] },
  },
  anonymous: { type: 'track', anonymousId: 'a_77', event: 'Product Viewed', properties: { name: 'Sweater' } },
};

/** The tab of a destination's page. */
export async function eventTester({ destination, context, path }) {
  const [{ audiences }, { computedTraits }, { sources }] = await Promise.all([
    api.get(`${space}/audiences?count=200`, context.signal), api.get(`${space}/computed-traits?count=200`, context.signal),
    api.get('/sources?count=200', context.signal),
  ]);
  const result = h('div', { class: 'stack' });
  const call = callForm(sources.filter((source) => source.connections.some((one) => one.destination.id === destination.id)), context);
  const value = valueForm([...audiences, ...computedTraits], context);
  let form = call;
  const place = h('div', null, call.node);
  const kind = select([['call', 'A call, made up or taken from a source'], ['value', 'An audience or trait of one profile']], 'call', (chosen) => {
    form = chosen === 'call' ? call : value;
    replace(place, form.node);
    replace(result);
  });

  const run = (send) => doing(async () => {
    replace(result, h('p', { class: 'quiet' }, send ? 'Sending …' : 'Mapping …'));
    try {
      const { test } = await api.post(`${path}/test-event`, { ...form.body(), send });
      replace(result, test.notes.map((note) => notice('info', null, note)), test.results.map((one) => resultCard(one, test.sent)));
    } catch (error) {
      replace(result, notice('bad', 'Not tested.', error.message));
    }
    result.scrollIntoView({ block: 'nearest' });
  });

  return h('div', { class: 'columns-2' },
    card('Event tester', h('div', { class: 'stack' },
      h('p', { class: 'quiet' }, `Shows what ${destination.name} is told: the mapping, the request and the answer. A dry run sends nothing.`),
      field('What to test', kind), place,
      h('div', { class: 'actions' }, button('Dry run', run(false)), button('Send it', run(true), { kind: 'primary' })))),
    result);
}

function callForm(sources, context) {
  const area = h('textarea', { rows: 12, class: 'code', spellcheck: 'false', value: JSON.stringify(examples.track, null, 2) });
  const put = (value) => { area.value = JSON.stringify(value, null, 2); };
  const example = select([['track', 'Track'], ['identify', 'Identify'], ['order', 'Order Completed'], ['anonymous', 'Anonymous']], 'track',
    (name) => put(examples[name]));
  const recent = h('select', { onchange: () => { if (recent.value !== '') put(JSON.parse(recent.value)); } },
    h('option', { value: '' }, sources.length === 0 ? 'No source is connected' : 'Choose …'));
  let source = sources[0]?.id;
  const fill = async () => {
    if (!source) return;
    const { calls } = await api.get(`/sources/${encodeURIComponent(source)}/debugger${query({ count: 20 })}`, context.signal);
    replace(recent, h('option', { value: '' }, 'Choose …'), calls.filter((one) => one.state === 'Allowed' && !one.cut).map((one) =>
      h('option', { value: JSON.stringify(one.raw) }, `${one.type} ${one.title}`)));
  };
  fill().catch(() => {});
  const mapping = select([['', 'The presets that are on at first'], ...sources.map((one) => [one.id, `As ${one.name} is connected`])], source ?? '', (id) => {
    source = id === '' ? undefined : id;
    fill().catch(() => {});
  });
  return {
    node: h('div', { class: 'stack' }, field('Mapped', mapping), field('Start from', example), field('Or a call that came in', recent),
      field('Call', area, { hint: 'JSON as a Segment client sends it.' })),
    body: () => {
      let event;
      try {
        event = JSON.parse(area.value);
      } catch (error) {
        throw new Error(`The call is not valid JSON: ${error.message}`);
      }
      return source ? { event, sourceId: source } : { event };
    },
  };
}

function valueForm(computations, context) {
  let id = computations[0]?.id;
  const people = h('select');
  const fill = async () => {
    if (!id) return;
    const kind = id.startsWith('aud_') ? 'audiences' : 'computed-traits';
    const { members } = await api.get(`${space}/${kind}/${encodeURIComponent(id)}/members${query({ count: 20 })}`, context.signal);
    replace(people, members.map((one) => h('option', { value: one.profileId }, one.name ?? one.email ?? one.userId ?? one.profileId)));
  };
  fill().catch(() => {});
  const own = h('input', { type: 'text', placeholder: 'use_…' });
  return {
    node: h('div', { class: 'stack' },
      field('Audience or trait', select(computations.map((one) => [one.id, one.name]), id, (chosen) => {
        id = chosen;
        fill().catch(() => {});
      })),
      field('Profile', people, { hint: 'Some of those who are in, or hold a value.' }),
      field('Or another profile', own, { optional: true })),
    body: () => ({ computation: id ?? '', profile: own.value.trim() || people.value }),
  };
}

function resultCard(one, sent) {
  const words = { values: 'attributes', occurrence: 'events', nothing: 'nothing to send', refused: 'refused' };
  return card(one.mapping.preset ?? `${one.call.type}${one.call.event ? ` “${one.call.event}”` : ''}`, h('div', { class: 'stack' },
    notice(one.ok ? 'good' : 'bad', sent ? (one.ok ? 'Sent.' : 'Not delivered.') : (one.ok ? 'Dry run.' : 'It would not be sent.'), one.message),
    h('p', null, badge(words[one.mapping.outcome], one.ok ? 'good' : 'bad'), one.mapping.person && [' to ', h('code', null, one.mapping.person)]),
    one.request && [h('h3', null, 'Request'), h('code', { class: 'query-text' }, one.request.endpoint), json(one.request.body)],
    one.response && [h('h3', null, `Answer ${one.response.status}, after ${duration(one.response.elapsedMilliseconds)}`), json(one.response.body)],
    h('details', null, h('summary', null, 'The call'), json(one.call))));
}
