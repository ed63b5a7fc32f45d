// Who a definition would be about: how many, some of them, how many each condition leaves, their ids, and who of them is
// in another audience, too (spec: engage §5). Draws what has been found so far while the server is still looking.

import { api, query, space } from './api.js';
import { progress } from './charts.js';
import { debounce, h, replace } from './dom.js';
import { count, duration, number, value } from './format.js';
import { overlapPicture } from './overlap-picture.js';
import { button, card, notice, select, table } from './widgets.js';
import { person, personDetail } from './computation-parts.js';

/** `kind` is one of `kinds`; `state` holds `{level, query, options}`. */
export function previewPane(kind, state, signal) {
  const body = h('div', { class: 'stack', 'aria-live': 'polite' });
  const people = h('div', { class: 'stack', hidden: true });
  const picture = h('div');
  const comparison = h('div', { class: 'stack', hidden: true });
  const unit = () => (state.level === 'ACCOUNTS' ? 'account' : 'user');
  let running = null;
  let overlapWith = '';

  const run = debounce(350, async () => {
    running?.abort();
    const controller = new AbortController();
    running = controller;
    signal.addEventListener('abort', () => controller.abort(), { once: true });
    body.setAttribute('aria-busy', 'true');
    const name = `${kind.single}Preview`;
    try {
      let { [name]: result } = await api.post(`${kind.path}/previews${query({ overlap_with: overlapWith })}`, {
        definition: { query: state.query }, audienceType: state.level, options: state.options,
      }, controller.signal);
      while (result.status === 'RUNNING') {
        show(result);
        await new Promise((resolve) => { setTimeout(resolve, 300); });
        ({ [name]: result } = await api.get(`${kind.path}/previews/${result.id}`, controller.signal));
      }
      if (result.status === 'COMPLETED') show(result);
      else fail(result.failureReason);
    } catch (error) {
      if (error.name !== 'AbortError') fail(error.message);
    }
    if (running === controller) body.removeAttribute('aria-busy');
  });

  function show(result) {
    replace(body, findings(kind, unit(), result));
    replace(people, whoTheyAre(kind, result));
    for (const part of [comparison, people]) part.hidden = false;
    replace(picture, result.overlap && overlapPicture(result.overlap, unit(), kind.route === 'traits' ? 'This trait' : 'This audience'));
  }

  function fail(reason) {
    replace(body, notice('bad', 'No preview.', reason));
    hideRest();
  }

  function hideRest() {
    for (const part of [comparison, people]) part.hidden = true;
  }

  async function offerAudiences() {
    let audiences;
    try {
      ({ audiences } = await api.get(`${space}/audiences${query({ count: 200 })}`, signal));
    } catch (error) {
      // A list that can't be had is no reason to be without a preview.
      if (error.name === 'AbortError') return;
      audiences = [];
    }
    const choices = audiences.filter((one) => one.audienceType === state.level);
    if (choices.length === 0) return;
    replace(comparison, h('h3', null, 'Overlap'),
      select([['', 'Choose an audience …'], ...choices.map((one) => [one.key, one.name])], overlapWith, (key) => {
        overlapWith = key;
        run();
      }, { 'aria-label': 'Compare with an audience' }), picture);
  }

  const clear = (text) => {
    running?.abort();
    hideRest();
    replace(body, h('p', { class: 'quiet' }, text));
  };
  clear('The preview appears when the definition is complete.');
  offerAudiences();
  return {
    node: h('div', { class: 'preview' }, card(kind.route === 'traits' ? 'Preview your trait' : 'Preview your audience',
      h('div', { class: 'stack' }, body, comparison, people), { actions: [button('Preview', run)] })),
    soon: run,
    clear,
  };
}

function findings(kind, unit, result) {
  const isTrait = kind.route === 'traits';
  const share = result.population > 0 ? ` of ${number(result.population)}` : '';
  return [
    h('div', null, h('p', { class: 'big' }, number(result.size.count)),
      h('p', { class: 'quiet' }, `${result.size.count === 1 ? unit : `${unit}s`}${share}${isTrait ? ' with a value' : ''}`,
        result.elapsedMilliseconds !== undefined && ` · ${duration(result.elapsedMilliseconds)}`),
      result.status === 'RUNNING' && progress(result.examined, result.total, 'Profiles looked at')),
    result.conditions && funnel(result.conditions, unit, result.qualifying),
    result.distribution && distribution(result.distribution, unit, result.size.count),
  ];
}

function whoTheyAre(kind, result) {
  return [
    result.results.length === 0
      ? h('p', { class: 'quiet' }, 'Nobody right now. New events are counted as they come.')
      : [h('h3', null, 'Sample'), h('ul', { class: 'sample' }, result.results.map((row) => h('li', null,
        h('span', null, h('a', { href: `#/profiles/${row.id}`, target: '_blank', rel: 'noopener' }, person(row)),
          h('span', { class: 'sub' }, personDetail(row))),
        kind.route === 'traits' && h('strong', null, value(row.value)))))],
    identifiers(result),
  ];
}

/** How many are left after each condition, or reached by it, and how many meet it alone. */
function funnel(root, unit, everybody) {
  const isJoined = root.operands.length > 0;
  return [h('h3', null, 'Conditions'), h('ol', { class: 'funnel' },
    bar(`All ${unit}s that may be in it`, everybody, everybody, null),
    (isJoined ? root.operands : [root]).map((one, index) => condition(one, root.kind, index, everybody)))];
}

function condition(node, joined, index, everybody) {
  const isGroup = node.operands.length > 0;
  const title = !isGroup ? h('code', null, node.text) : node.kind === 'or' ? 'At least one of' : 'All of';
  const word = index === 0 ? null : joined === 'or' ? 'or' : 'and';
  const note = index === 0 ? null : joined === 'or'
    ? `${number(node.matching)} by this alone` : `${number(node.matching)} meet it alone`;
  return bar([word && h('span', { class: 'joint' }, `${word} `), title], node.cumulative, everybody, note,
    isGroup && h('ol', { class: 'funnel' }, node.operands.map((one, place) => condition(one, node.kind, place, everybody))));
}

function bar(title, size, everybody, note, inner) {
  const share = everybody > 0 ? (size / everybody) * 100 : 0;
  return h('li', null,
    h('div', { class: 'funnel-head' }, h('span', null, title), h('strong', null, number(size))),
    h('div', { class: 'funnel-bar', 'aria-hidden': 'true' }, h('div', { style: { width: `${share.toFixed(2)}%` } })),
    note && h('p', { class: 'sub' }, note), inner);
}

/** Which values there are. */
function distribution(found, unit, holders) {
  if (holders === 0) return null;
  const most = Math.max(1, ...found.frequent.map((one) => one.profiles));
  return [h('h3', null, 'Values'),
    found.median !== null && h('p', { class: 'quiet' },
      `From ${value(found.minimum)} to ${value(found.maximum)}; half of the ${unit}s have at most ${value(found.median)}.`),
    h('ol', { class: 'funnel' }, found.frequent.slice(0, 6).map((one) => bar(value(one.value), one.profiles, most, null))),
    found.distinct > 6 && h('p', { class: 'sub' },
      `The most frequent of ${found.isDistinctCapped ? 'more than ' : ''}${count(found.distinct, 'value')}.`)];
}

function identifiers(result) {
  const rows = Object.entries(result.identifierBreakdown);
  if (rows.length === 0) return null;
  const share = (profiles) => `${((profiles / Math.max(1, result.size.count)) * 100).toFixed(0)} %`;
  return [h('h3', null, 'Identifiers'), table([
    { name: 'Identifier', cell: ([type]) => type },
    { name: 'Profiles', tone: 'number', cell: ([, found]) => number(found.profiles) },
    { name: '%', tone: 'number', cell: ([, found]) => share(found.profiles) },
    { name: 'Values', tone: 'number', cell: ([, found]) => number(found.values) },
  ], rows, { label: 'Identifier breakdown' })];
}
