// The inputs that the builder's rows are made of. `context` is the builder's: `changed()` after typing, `draw(focus)` after a
// structural change.

import { freshId, h, replace } from './dom.js';
import { icon } from './icons.js';
import { comparators, emptyFilter, operandOf, operators } from './builder-model.js';
import * as schema from './schema.js';
import { select } from './widgets.js';

const units = [['second', 'seconds'], ['minute', 'minutes'], ['hour', 'hours'], ['day', 'days'], ['week', 'weeks']];

// Names for elements that should get the focus after drawing.
const marks = new WeakMap();
export function mark(item, part = 'first') {
  if (!marks.has(item)) marks.set(item, freshId('item'));
  return `${marks.get(item)}-${part}`;
}

export const line = (...children) => h('div', { class: 'line' }, ...children);

export function eventInput(model, context) {
  const input = offered(model, 'event', 'event name', context, async () =>
    (await schema.events()).map((item) => [item.name, '']));
  input.dataset.focus = mark(model);
  return input;
}

export function counting(model, context) {
  return [
    select(comparators, model.comparator, (value) => {
      model.comparator = value;
      context.changed();
    }, { 'aria-label': 'Count comparator' }),
    numberInput(model, 'count', model.comparator === 'at_least' ? 1 : 0, context), h('span', null, 'times'),
  ];
}

export function numberInput(model, name, least, context) {
  return h('input', {
    type: 'number', min: least, step: 1, value: model[name], 'aria-label': name === 'count' ? 'Count' : 'Minimum frequency',
    oninput: (event) => {
      const value = Number.parseInt(event.target.value, 10);
      if (Number.isNaN(value) || value < 0) return;
      model[name] = value;
      context.changed();
    },
  });
}

export function filterLines(model, context, isChild, parent) {
  return model.filters.map((filter, index) => {
    let type;
    const learn = async () => {
      type = (await schema.properties(model.event)).find((item) => item.name === filter.path)?.type;
    };
    learn();
    const input = fieldInput(filter, 'path', model, context, mark(filter));
    input.addEventListener('change', learn);
    const choices = [['constant', 'value'], ...(isChild ? [['property', 'parent’s property']] : []), ['trait', 'trait']];
    const symbol = operandOf(filter.operator) === 'one';
    return h('div', { class: 'line nested' }, h('span', null, index === 0 ? 'where' : 'and where'),
input,
      comparisonInputs(filter, context, () => type,
        () => schema.propertyValues(model.event, filter.path),
        symbol && select(choices, filter.valueKind, (value) => {
          filter.valueKind = value;
          filter.values = [];
          context.draw();
        }, { 'aria-label': 'Kind of value' }), parent),
      h('span', { class: 'end' }, iconButton('cross', 'Remove filter', () => {
        model.filters.splice(index, 1);
        context.draw();
      })));
  });
}

// A property is written as it is, something of the context with `context.` in front. A property whose own name begins like
// that gets `properties.`, so that the two stay apart.
const shown = (scope, path) => (scope === 'context' ? `context.${path}` : /^(context|properties)\./.test(path) ? `properties.${path}` : path);

function setShown(owner, name, text) {
  const isContext = text.startsWith('context.');
  owner.scope = isContext ? 'context' : 'property';
  owner[name] = isContext ? text.slice(8) : text.replace(/^properties\./, '');
}

export function fieldInput(owner, name, eventOwner, context, focus) {
  const [input, list] = suggesting('property', async () =>
    (await schema.properties(eventOwner.event)).map((item) =>
      [shown(item.kind === 'CONTEXT' ? 'context' : 'property', item.name), item.type]));
  input.value = shown(owner.scope, owner[name]);
  input.addEventListener('input', () => {
    setShown(owner, name, input.value);
    context.changed();
  });
  input.dataset.focus = focus;
  return withList(input, list);
}

export function comparisonInputs(item, context, typeOf, samples, kindChoice, parent) {
  const operator = select(operators, item.operator, (value) => {
    const before = operandOf(item.operator);
    item.operator = value;
    if (operandOf(value) !== before) {
      if (before === 'date' || operandOf(value) === 'date') item.values = [];
      item.valueKind = item.valueKind ? 'constant' : undefined;
      context.draw();
    } else {
      context.changed();
    }
  }, { 'aria-label': 'Operator' });
  return [operator, kindChoice, operand(item, context, typeOf, samples, parent)];
}

function operand(item, context, typeOf, samples, parent) {
  const kind = operandOf(item.operator);
  if (kind === 'none') return null;
  if (kind === 'span') return spanInputs(item.duration, context);
  if (kind === 'date') return dateInput(item, context);
  const load = item.valueKind === 'property'
    ? async () => (await schema.properties(parent?.event)).map((entry) => [entry.name, entry.type])
    : item.valueKind === 'trait'
      ? async () => (await schema.traits('users')).map((entry) => [entry.key, entry.type])
      : async () => (await samples()).map((sample) => [String(sample), '']);
  const constant = (text) => ((item.valueKind ?? 'constant') === 'constant' ? schema.constant(text, typeOf()) : text);
  return kind === 'list' ? chips(item, context, load, constant) : single(item, context, load, constant);
}

function single(item, context, load, constant) {
  const [input, list] = suggesting('value', load);
  input.value = item.values[0] ?? '';
  input.addEventListener('input', () => {
    item.values = input.value === '' ? [] : [constant(input.value)];
    context.changed();
  });
  return [input, list];
}

/** Several values: Enter takes one in, its button takes it out. */
function chips(item, context, load, constant) {
  const box = h('span', { class: 'row' });
  const [input, list] = suggesting('add a value', load);
  const take = () => {
    const text = input.value.trim();
    if (text === '') return;
    item.values.push(constant(text));
    input.value = '';
    draw();
    context.changed();
  };
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    take();
    input.focus();
  });
  input.addEventListener('change', take);

  function draw() {
    replace(box, item.values.map((value, index) => h('span', { class: 'chip' }, String(value),
      iconButton('cross', `Remove ${value}`, () => {
        item.values.splice(index, 1);
        draw();
        context.changed();
      }))), input, list);
  }

  draw();
  return box;
}

/** A date in the browser's zone, kept in UTC (spec: engage §2.4). */
function dateInput(item, context) {
  const pad = (value) => String(value).padStart(2, '0');
  const local = (iso) => {
    const date = new Date(iso);
    if (Number.isNaN(date.getTime())) return '';
    return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
  };
  return h('input', {
    type: 'datetime-local', 'aria-label': 'Date and time', value: item.values[0] ? local(item.values[0]) : '',
    onchange: (event) => {
      item.values = event.target.value ? [new Date(event.target.value).toISOString()] : [];
      context.changed();
    },
  });
}

function spanInputs(duration, context, choices = units) {
  return [numberInput(duration, 'count', 0, context), select(choices, duration.unit, (value) => {
    duration.unit = value;
    context.changed();
  }, { 'aria-label': 'Unit of time' })];
}

export function windowLine(model, context, parent) {
  const { window } = model;
  if (!window) return null;
  const choices = context.isTrait
    ? [['sliding', 'over the last'], ['session', 'in the latest session, which ends after']]
    : [['within', parent ? 'any time within' : 'within the last'], ['between', 'in between']];
  const kind = select(choices, window.kind, (value) => {
    model.window = value === 'between'
      ? { kind: 'between', from: { count: 7, unit: 'day' }, to: { count: 30, unit: 'day' } }
      : { kind: value, span: value === 'session' ? { count: 30, unit: 'minute' } : { count: 30, unit: 'day' } };
    context.draw();
  }, { 'aria-label': 'Kind of time window' });
  return h('div', { class: 'line nested' }, kind,
    window.kind === 'between'
      ? [spanInputs(window.from, context), h('span', null, 'and'), spanInputs(window.to, context),
        h('span', null, parent ? `after ${parent.event || 'the first event'}` : 'ago')]
      : [spanInputs(window.span, context),
        h('span', null, window.kind === 'session' ? 'without events' : parent ? `of ${parent.event || 'the first event'}` : '')],
    h('span', { class: 'end' }, iconButton('cross', 'Remove time window', () => {
      model.window = null;
      context.draw();
    })));
}

export function addFilter(model, context) {
  return textButton('where', () => {
    const filter = emptyFilter();
    model.filters.push(filter);
    context.draw(mark(filter));
  });
}

export function addWindow(model, context) {
  return model.window ? null : textButton('time window', () => {
    model.window = { kind: context.isTrait ? 'sliding' : 'within', span: { count: 30, unit: 'day' } };
    context.draw();
  });
}

/** An input that offers what was seen and takes anything. `load` gives `[value, note]` pairs when it gets the focus. */
function suggesting(label, load) {
  const list = h('datalist', { id: freshId('offer') });
  const input = h('input', {
    type: 'text', class: 'wide', list: list.id, placeholder: label, 'aria-label': label, autocomplete: 'off',
    onfocus: async () => {
      const entries = await load();
      replace(list, entries.slice(0, 200).map(([value, note]) => h('option', { value }, note ?? '')));
    },
  });
  return [input, list];
}

export function offered(model, name, label, context, load) {
  const [input, list] = suggesting(label, load);
  input.value = model[name];
  input.addEventListener('input', () => {
    model[name] = input.value;
    context.changed();
  });
  return withList(input, list);
}

/** Keeps a datalist beside its input wherever the input is put. */
function withList(input, list) {
  queueMicrotask(() => input.after(list));
  return input;
}

export function iconButton(name, label, action) {
  return h('button', { type: 'button', class: 'icon-button', title: label, 'aria-label': label, onclick: action }, icon(name));
}

export function textButton(label, action) {
  return h('button', { type: 'button', class: 'button text', onclick: action }, icon('plus'), label);
}

/** A button that opens a few choices. */
export function menu(label, entries) {
  const list = h('div', { class: 'menu-list' }, entries.map(([name, action]) => h('button', {
    type: 'button', onclick: () => {
      details.open = false;
      action();
    },
  }, name)));
  const details = h('details', {
    class: 'menu-button',
    onkeydown: (event) => {
      if (event.key === 'Escape' && details.open) {
        details.open = false;
        details.querySelector('summary').focus();
      }
    },
    onfocusout: (event) => { if (!details.contains(event.relatedTarget)) details.open = false; },
  }, h('summary', { class: 'button plain' }, icon('plus'), label), list);
  return details;
}
