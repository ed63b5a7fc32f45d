// The live stream of calls that arrive, accepted and rejected (spec: engage §10.1, collection §2.12).

import { api, query } from './api.js';
import { h, replace } from './dom.js';
import { clockTime } from './format.js';
import { icon } from './icons.js';
import { badge, button, copyable, json, loading, select, status } from './widgets.js';

const cap = 500;

/** A feed of one or several sources; `only(call)` narrows it, for example to one person. */
export function callFeed(sources, context, { only = null } = {}) {
  const calls = [];
  const since = new Map();
  let live = true;
  let search = '';
  let type = '';
  let state = '';
  let selected = null;
  const list = h('ol', { class: 'feed', 'aria-label': 'Calls' }, h('li', null, loading()));
  // Which call a row is about, so that the focus stays with it when new ones come in above.
  const buttons = new WeakMap();
  const detail = h('div', { class: 'stack' });
  const pause = button('Pause', () => {
    live = !live;
    pause.lastChild.textContent = live ? 'Pause' : 'Live';
    if (live) poll();
  });

  function matches(call) {
    if (only && !only(call)) return false;
    if (type && call.type !== type) return false;
    if (state && call.state !== state) return false;
    return !search || call.searchText.includes(search);
  }

  function draw() {
    const shown = calls.filter(matches);
    if (shown.length === 0) {
      replace(list, h('li', { class: 'empty' }, h('p', null, calls.length === 0
        ? 'Waiting for calls. Send one and it appears within two seconds.' : 'No call matches.')));
      return;
    }
    const focused = document.activeElement ? buttons.get(document.activeElement) : undefined;
    replace(list, shown.slice(0, 200).map((call) => h('li', null, row(call))));
    if (focused) [...list.querySelectorAll('button')].find((node) => buttons.get(node) === focused)?.focus({ preventScroll: true });
  }

  function row(call) {
    const node = h('button', {
      type: 'button', 'aria-pressed': String(call === selected), onclick: () => choose(call),
    }, h('span', { class: call.state === 'Rejected' ? 'bad' : 'good', title: call.state }, icon(call.state === 'Rejected' ? 'cross' : 'check')),
    h('span', { class: 'type' }, call.type ?? '?'),
    h('span', { class: 'title' }, call.title, call.reason && h('span', { class: 'sub bad' }, call.reason)), clockTime(call.receivedAt));
    buttons.set(node, call);
    return node;
  }

  function choose(call) {
    selected = selected === call ? null : call;
    draw();
    showDetail();
  }

  function showDetail() {
    if (!selected) {
      replace(detail, h('p', { class: 'quiet' }, 'Choose a call to see what was sent.'));
      return;
    }
    const call = selected;
    const views = { Pretty: () => copyable(pretty(call), { block: true }), Raw: () => json(call.raw) };
    const body = h('div');
    const bar = h('div', { class: 'tabs', role: 'tablist' }, Object.keys(views).map((name) => h('button', {
      type: 'button', role: 'tab', 'aria-selected': String(name === 'Pretty'), onclick: (event) => {
        for (const tab of bar.children) tab.setAttribute('aria-selected', String(tab === event.currentTarget));
        replace(body, views[name]());
      },
    }, name)));
    replace(body, views.Pretty());
    replace(detail, h('div', { class: 'row spread' }, h('h3', null, call.title), status(call.state)),
      call.reason && h('p', { class: 'error' }, call.code && [h('code', null, call.code), ' '], call.reason),
      call.warnings.length > 0 && h('p', null, 'Accepted with remarks: ', call.warnings.map((text) => [badge(text, 'warn'), ' '])),
      bar, body);
  }

  let polling = false;
  let isDrawn = false;
  async function poll() {
    if (!live || polling) return;
    polling = true;
    try {
      let changed = false;
      for (const source of sources) {
        const path = `/sources/${encodeURIComponent(source.id)}/debugger`;
        const data = await api.get(path + query({ since: since.get(source.id), count: 200 }), context.signal);
        since.set(source.id, data.cursor);
        for (const call of data.calls) {
          call.searchText = `${call.title} ${call.userId ?? ''} ${JSON.stringify(call.raw)}`.toLowerCase();
          calls.push(call);
          changed = true;
        }
      }
      if (!changed && isDrawn) return;
      isDrawn = true;
      calls.sort((left, right) => (left.receivedAt < right.receivedAt ? 1 : left.receivedAt > right.receivedAt ? -1 : 0));
      calls.length = Math.min(calls.length, cap);
      draw();
    } finally {
      polling = false;
    }
  }

  showDetail();
  poll().catch(() => {});
  context.every(2000, poll);
  const controls = h('div', { class: 'search', style: { padding: '0 1.15rem .75rem', 'flex-wrap': 'wrap' } },
    h('input', {
      type: 'search', placeholder: 'Find in calls', 'aria-label': 'Find in calls',
      oninput: (event) => { search = event.target.value.trim().toLowerCase(); draw(); },
    }),
    select([['', 'All types'], ...['track', 'page', 'screen', 'identify', 'group', 'alias'].map((name) => [name, name])], '', (value) => {
      type = value;
      draw();
    }, { 'aria-label': 'Type of call' }),
    select([['', 'All states'], ['Allowed', 'Allowed'], ['Rejected', 'Rejected']], '', (value) => {
      state = value;
      draw();
    }, { 'aria-label': 'State' }), pause);
  return h('div', null, controls, h('div', { class: 'feed-split' }, h('div', { class: 'feed-list' }, list),
    h('div', { class: 'feed-detail' }, detail)));
}

/** The call as somebody would have written it with an SDK. */
function pretty(call) {
  const raw = call.raw ?? {};
  const text = (item) => JSON.stringify(item ?? {}, null, 2);
  if (typeof raw !== 'object') return String(raw);
  switch (call.type) {
    case 'track': return `analytics.track(${JSON.stringify(raw.event ?? '')}, ${text(raw.properties)})`;
    case 'identify': return `analytics.identify(${JSON.stringify(raw.userId ?? '')}, ${text(raw.traits)})`;
    case 'group': return `analytics.group(${JSON.stringify(raw.groupId ?? '')}, ${text(raw.traits)})`;
    case 'page':
    case 'screen': return `analytics.${call.type}(${JSON.stringify(raw.name ?? '')}, ${text(raw.properties)})`;
    case 'alias': return `analytics.alias(${JSON.stringify(raw.userId ?? '')}, ${JSON.stringify(raw.previousId ?? '')})`;
    default: return text(raw);
  }
}
