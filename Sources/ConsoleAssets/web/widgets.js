// The parts that pages are put together from.

import { freshId, h, inUse, replace } from './dom.js';
import { icon } from './icons.js';

/** The head of a page: where it stands, its name, what can be done. */
export function pageHead(title, { trail = [], note, actions = [] } = {}) {
  return h('header', { class: 'page-head' },
    h('div', null,
      trail.length > 0 && h('nav', { class: 'trail', 'aria-label': 'Breadcrumb' },
        trail.map(([name, href]) => h('a', { href }, name))),
      h('h1', { tabindex: '-1' }, title),
      note && h('p', { class: 'note' }, note)),
    actions.length > 0 && h('div', { class: 'actions' }, actions));
}

export function button(label, action, { kind = 'plain', name, ...rest } = {}) {
  return h('button', { type: 'button', class: `button ${kind}`, onclick: action, ...rest }, name && icon(name), label);
}

export function linkButton(label, href, { kind = 'plain', name } = {}) {
  return h('a', { class: `button ${kind}`, href }, name && icon(name), label);
}

export function badge(text, tone = 'neutral', title) {
  return h('span', { class: `badge ${tone}`, title }, text);
}

const statusTones = {
  Live: 'good', Computing: 'busy', Preparing: 'busy', Backfilling: 'busy', Locked: 'busy', Disabled: 'neutral',
  Failed: 'bad', Error: 'bad', 'Not Computing': 'warn', 'Awaiting Destinations': 'warn', Connected: 'good',
  Disconnected: 'warn', running: 'good', paused: 'bad', disabled: 'neutral', Allowed: 'good', Rejected: 'bad',
  delivered: 'good', waiting: 'busy', parked: 'bad', retrying: 'warn', failed: 'bad', unknown: 'warn',
};

export function status(text) {
  return badge(text, statusTones[text] ?? 'neutral');
}

/** A band with something to know: `tone` is `info`, `good`, `warn` or `bad`. */
export function notice(tone, title, text, actions = []) {
  return h('div', { class: `notice ${tone}`, role: tone === 'bad' ? 'alert' : 'status' },
    h('div', null, title && h('strong', null, title), text && h('p', null, text)), actions);
}

/** What a page says when it has nothing to show: why, and what to do next. */
export function emptyState(title, text, ...actions) {
  return h('div', { class: 'empty' }, h('h2', null, title), h('p', null, text),
    actions.length > 0 && h('div', { class: 'actions' }, actions));
}

export function card(title, content, { actions = [], className = '' } = {}) {
  return h('section', { class: `card ${className}` },
    (title || actions.length > 0) && h('div', { class: 'card-head' }, title && h('h2', null, title), actions), content);
}

/** A figure with its unit and what it means. */
export function figure(label, value, detail) {
  return h('div', { class: 'figure' }, h('span', { class: 'label' }, label), h('strong', null, value),
    h('span', { class: 'detail' }, detail ?? ''));
}

/**
 * A table. A column is `{name, cell(row), tone?}` with tone `number` for right alignment; `href(row)` makes a row lead
 * somewhere (its first cell is the link).
 */
export function table(columns, rows, { href, label } = {}) {
  return h('div', { class: 'table', role: 'region', 'aria-label': label, tabindex: '0' },
    h('table', null,
      h('thead', null, h('tr', null,
        columns.map((column) => h('th', { scope: 'col', class: column.tone }, column.name)))),
      h('tbody', null, rows.map((row) => h('tr', null, columns.map((column, index) => {
        const content = column.cell(row);
        const target = index === 0 && href ? href(row) : null;
        return h('td', { class: column.tone }, target ? h('a', { href: target, class: 'row-link' }, content) : content);
      }))))));
}

/** Pages of a list: `load(cursor)` returns `{rows, pagination}`, `show(rows)` a node. */
export function pagedList(load, show, empty) {
  const body = h('div', { 'aria-busy': 'true' }, loading());
  const foot = h('div', { class: 'pager' });
  const back = [];
  let current = null;
  let shown = '';
  let turn = 0;

  async function open(cursor, inBackground = false) {
    if (!inBackground) {
      turn += 1;
      body.setAttribute('aria-busy', 'true');
    }
    const mine = turn;
    let answer;
    try {
      answer = await load(cursor);
    } catch (error) {
      if (error.name !== 'AbortError' && !inBackground) replace(body, failure(error));
      body.removeAttribute('aria-busy');
      return;
    }
    // Another page was asked for in the meantime.
    if (mine !== turn) return;
    current = cursor;
    body.removeAttribute('aria-busy');
    // Only what changed is drawn, and nothing while somebody is at it.
    const content = JSON.stringify(answer);
    if (inBackground && (content === shown || inUse(body) || inUse(foot))) return;
    shown = content;
    replace(body, answer.rows.length > 0 ? show(answer.rows) : empty());
    const next = answer.pagination?.next;
    const total = answer.pagination?.totalEntries;
    const isTurning = foot.contains(document.activeElement);
    replace(foot,
      total !== undefined && h('span', { class: 'quiet' }, `${total.toLocaleString('en-US')} in all`),
      (back.length > 0 || next) && [
        button('Previous', () => open(back.pop() ?? null), { disabled: back.length === 0 }),
        button('Next', () => { back.push(current); open(next); }, { disabled: !next }),
      ]);
    if (isTurning) [...foot.querySelectorAll('button:not(:disabled)')].at(-1)?.focus();
  }

  const ready = open(null);
  return {
    node: h('div', null, body, foot),
    ready,
    /** Reads the page in view again, without disturbing anybody who is at it. */
    refresh: () => open(current, true),
    /** Starts over: the filter has changed. */
    restart: () => { back.length = 0; return open(null); },
  };
}

export function loading() {
  return h('p', { class: 'quiet loading' }, 'Loading…');
}

export function failure(error) {
  return notice('bad', 'This did not work.', error.message);
}

/** Tabs as links, so each has an address. `tabs` are `[name, href]`. */
export function tabs(entries, currentHref) {
  return h('nav', { class: 'tabs', 'aria-label': 'Sections' }, entries.map(([name, href]) =>
    h('a', { href, 'aria-current': href === currentHref ? 'page' : null }, name)));
}

/** A label, its control, and what there is to say about it. The control gets an id and the description. */
export function field(label, control, { hint, error, optional } = {}) {
  const id = control.id || freshId('field');
  control.id = id;
  const noteId = `${id}-note`;
  const note = error ?? hint;
  if (note) control.setAttribute('aria-describedby', noteId);
  if (error) control.setAttribute('aria-invalid', 'true');
  return h('div', { class: `field${error ? ' invalid' : ''}` },
    h('label', { for: id }, label, optional && h('span', { class: 'quiet' }, ' (optional)')), control,
    note && h('p', { class: error ? 'error' : 'hint', id: noteId }, note));
}

/** A check box with its text and an explanation. */
export function checkbox(label, checked, change, { hint, disabled } = {}) {
  const id = freshId('check');
  return h('div', { class: 'check' },
    h('input', { type: 'checkbox', id, checked, disabled, onchange: (event) => change(event.target.checked) }),
    h('label', { for: id }, label, hint && h('span', { class: 'hint' }, hint)));
}

export function select(options, chosen, change, properties = {}) {
  return h('select', { ...properties, onchange: (event) => change(event.target.value) }, options.map(([name, text]) =>
    h('option', { value: name, selected: name === chosen }, text)));
}

/** Text that can be taken along with one press. */
export function copyable(text, { block = false, label = 'Copy' } = {}) {
  const copy = h('button', {
    type: 'button', class: 'icon-button', title: label, 'aria-label': label,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text);
        toast('Copied.');
      } catch {
        toast('The browser does not allow copying here: select the text instead.');
      }
    },
  }, icon('copy'));
  return block
    ? h('div', { class: 'code-block' }, h('pre', { tabindex: '0' }, h('code', null, text)), copy)
    : h('span', { class: 'copyable' }, h('code', null, text), copy);
}

/** JSON with its parts told apart. */
export function json(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '';
  const pattern = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(end, match.index));
    const kind = match[2] !== undefined ? 'key' : match[1] !== undefined ? 'string' : 'literal';
    parts.push(h('span', { class: `json-${kind}` }, match[1] ?? match[0]), match[2] ?? '');
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return h('pre', { class: 'json', tabindex: '0' }, parts);
}

/** Asks before something that cannot be undone; with `phrase` the answer has to be typed. */
export function confirm({ title, text, action, phrase, danger = true }) {
  return new Promise((resolve) => {
    const accept = h('button', {
      type: 'submit', value: 'yes', class: `button ${danger ? 'danger' : 'primary'}`, disabled: Boolean(phrase),
    }, action);
    const input = phrase && h('input', {
      type: 'text', autocomplete: 'off', oninput: (event) => { accept.disabled = event.target.value !== phrase; },
    });
    const dialog = h('dialog', { class: 'dialog' },
      h('form', { method: 'dialog' }, h('h2', null, title), h('p', null, text),
        input && field(`Type ${phrase} to confirm`, input),
        h('div', { class: 'actions' },
          h('button', { type: 'submit', value: 'no', class: 'button plain', formnovalidate: true }, 'Cancel'), accept)));
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes' && !accept.disabled);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    input?.focus();
  });
}

/** A panel from the side, for settings and details. Returns a function that closes it. */
export function sideSheet(title, content, { onclose } = {}) {
  const dialog = h('dialog', { class: 'sheet', 'aria-label': title },
    h('div', { class: 'sheet-head' }, h('h2', null, title),
      h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Close', onclick: () => dialog.close() },
        icon('cross'))),
    h('div', { class: 'sheet-body' }, content));
  dialog.addEventListener('close', () => {
    dialog.remove();
    onclose?.();
  });
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  window.addEventListener('hashchange', () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector('.sheet-body input, .sheet-body select, .sheet-body button')?.focus();
  return () => dialog.close();
}

const toasts = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });
document.body.append(toasts);

export function toast(text) {
  const item = h('div', { class: 'toast' }, text);
  toasts.append(item);
  setTimeout(() => item.remove(), 5000);
}

/** Runs what a button does, once at a time, and says so when it fails. */
export function doing(action) {
  return async (event) => {
    const control = event?.currentTarget;
    if (control) control.disabled = true;
    try {
      await action(event);
    } catch (error) {
      toast(error.message);
    } finally {
      if (control) control.disabled = false;
    }
  };
}
