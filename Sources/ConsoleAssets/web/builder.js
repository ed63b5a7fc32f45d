// The builder: conditions as rows of plain inputs over the model of query-text.js. Structural changes draw it anew;
// typing only changes the model, so the focus stays where it is.

import { freshId, h, replace } from './dom.js';
import { icon } from './icons.js';
import {
  aggregations, comparators, emptyAudienceCondition, emptyChild, emptyEvent, emptyFilter, emptyTraitCondition,
  operandOf, operators,
} from './query-text.js';
import * as schema from './schema.js';
import { select } from './widgets.js';

const units = [['second', 'seconds'], ['minute', 'minutes'], ['hour', 'hours'], ['day', 'days'], ['week', 'weeks']];

/**
 * The builder of an audience. `level` is USERS or ACCOUNTS, `self` the key of the audience at hand (it can't refer to
 * itself), `changed` is called after every change of the model.
 */
export function audienceBuilder(model, { level, self, changed }) {
  const node = h('div', { class: 'stack' });
  const context = { level, self, changed, draw };

  function draw(focus) {
    replace(node, model.groups.map((group, index) => groupNode(model, group, index, context)),
      h('div', null, menu('Add group', [
        ['And who', () => addGroup(false)], ['And not who', () => addGroup(true)],
      ])));
    if (focus) node.querySelector(`[data-focus="${focus}"]`)?.focus();
    changed();
  }

  function addGroup(negated) {
    const condition = emptyEvent();
    if (level === 'ACCOUNTS') condition.quantifier = 'any';
    model.groups.push({ negated, conditions: [condition] });
    draw(mark(condition));
  }

  draw();
  return node;
}

/** The builder of a computed trait of a type that was chosen before. */
export function traitBuilder(model, { changed }) {
  const node = h('div', { class: 'group' });
  const context = { level: 'USERS', changed, draw, sessions: true };

  function draw(focus) {
    const byCount = model.type === 'eventCounter';
    replace(node, h('div', { class: 'group-body' }, h('div', { class: 'condition' },
      line(h('span', null, model.type === 'aggregation' ? 'The' : byCount ? 'How often' : 'Of'),
        model.type === 'aggregation' && [select(aggregations, model.aggregation, (value) => {
          model.aggregation = value;
          changed();
        }, { 'aria-label': 'Aggregation' }), h('span', null, 'over')],
        eventInput(model, context)),
      !byCount && line(h('span', null, 'event property'), fieldInput(model, 'property', model, context, mark(model, 'property')),
        model.type === 'mostFrequent' && [
          select([['default', 'Text'], ['number', 'Number'], ['array', 'Array']], model.dataType ?? 'default', (value) => {
            model.dataType = value;
            changed();
          }, { 'aria-label': 'Data type' }),
          h('label', null, 'minimum frequency ', numberInput(model, 'minimumFrequency', 1, context)),
          h('span', { class: 'quiet', title: 'A value seen less often does not count.' }, 'times'),
        ]),
      model.filters.length > 0 && h('span', { class: 'quiet' }, 'With all of the following conditions'),
      filterLines(model, context, false), windowLine(model, context),
      h('div', { class: 'line' }, addFilter(model, context), addWindow(model, context)))));
    if (focus) node.querySelector(`[data-focus="${focus}"]`)?.focus();
    changed();
  }

  draw();
  return node;
}

// Names for elements that should get the focus after drawing.
const marks = new WeakMap();
function mark(item, part = 'first') {
  if (!marks.has(item)) marks.set(item, freshId('item'));
  return `${marks.get(item)}-${part}`;
}

const line = (...children) => h('div', { class: 'line' }, ...children);

function groupNode(model, group, index, context) {
  const subject = context.level === 'ACCOUNTS' ? 'All accounts where' : 'All users who';
  const head = index === 0
    ? (group.negated ? select([['no', subject], ['yes', `${subject} – not`]], 'yes', (value) => negate(value === 'yes')) : h('span', null, subject))
    : select([['no', 'And who'], ['yes', 'And not who']], group.negated ? 'yes' : 'no', (value) => negate(value === 'yes'),
      { 'aria-label': 'How this group joins the ones above' });

  function negate(value) {
    group.negated = value;
    context.changed();
  }

  return h('section', { class: 'group', 'aria-label': index === 0 ? subject : group.negated ? 'And not who' : 'And who' },
    h('div', { class: 'group-head' }, head,
      model.groups.length > 1 && iconButton('trash', 'Remove group', () => {
        model.groups.splice(index, 1);
        context.draw();
      })),
    h('div', { class: 'group-body' },
      group.conditions.map((condition, place) => [
        place > 0 && h('div', { class: 'or' }, 'or'),
        conditionNode(group, condition, place, context),
      ]),
      h('div', null, menu(group.conditions.length > 0 ? 'or – Add condition' : 'Add condition', [
        ['Performed an Event', () => add(emptyEvent())],
        ['Part of an Audience', () => add(emptyAudienceCondition())],
        ['Have a Computed Trait', () => add({ ...emptyTraitCondition(), offered: 'COMPUTED' })],
        ['Have a Custom Trait', () => add({ ...emptyTraitCondition(), offered: 'CUSTOM' })],
      ]))));

  function add(condition) {
    if (context.level === 'ACCOUNTS' && condition.kind === 'event') condition.quantifier = 'any';
    group.conditions.push(condition);
    context.draw(mark(condition));
  }
}

function conditionNode(group, condition, place, context) {
  const ends = h('span', { class: 'end' },
    iconButton('copy', 'Duplicate condition', () => {
      group.conditions.splice(place + 1, 0, structuredClone(condition));
      context.draw();
    }),
    iconButton('trash', 'Remove condition', () => {
      group.conditions.splice(place, 1);
      context.draw();
    }));
  if (condition.kind === 'event') return eventNode(condition, context, ends);
  if (condition.kind === 'audience') return audienceNode(condition, context, ends);
  return traitNode(condition, context, ends);
}

/** At account level: which users of the account are meant (spec: engage §2.8). */
function quantifier(condition, context) {
  if (context.level !== 'ACCOUNTS') return null;
  const choices = [['any', 'Any user'], ['all', 'All users'], ['none', 'None of the users']];
  if (condition.kind !== 'event') choices.unshift(['', 'The account']);
  return select(choices, condition.quantifier ?? '', (value) => {
    condition.quantifier = value || null;
    context.draw();
  }, { 'aria-label': 'Which users of the account' });
}

function eventNode(condition, context, ends) {
  return h('div', { class: 'condition' },
    line(quantifier(condition, context), h('span', null, 'performed'), eventInput(condition, context), counting(condition, context), ends),
    filterLines(condition, context, false), windowLine(condition, context),
    condition.children.map((child, index) => childNode(condition, child, index, context)),
    h('div', { class: 'line' }, addFilter(condition, context), addWindow(condition, context),
      textButton('and then did', () => addChild(true)), textButton('and then did not', () => addChild(false))));

  function addChild(performed) {
    const child = emptyChild(performed);
    condition.children.push(child);
    context.draw(mark(child));
  }
}

function childNode(parent, child, index, context) {
  return h('div', { class: 'child' },
    line(select([['yes', 'and then did perform'], ['no', 'and then did not perform']], child.performed ? 'yes' : 'no', (value) => {
      child.performed = value === 'yes';
      context.changed();
    }, { 'aria-label': 'Whether it followed', class: 'join' }), eventInput(child, context), counting(child, context),
    h('span', { class: 'end' }, iconButton('trash', 'Remove', () => {
      parent.children.splice(index, 1);
      context.draw();
    }))),
    filterLines(child, context, true, parent), windowLine(child, context, parent),
    h('div', { class: 'line' }, addFilter(child, context), addWindow(child, context)));
}

function audienceNode(condition, context, ends) {
  const input = offered(condition, 'key', 'audience key', context, async () =>
    (await schema.audiences()).filter((item) => item.key !== context.self).map((item) => [item.key, item.name]));
  input.dataset.focus = mark(condition);
  return h('div', { class: 'condition' }, line(quantifier(condition, context),
    select([['yes', 'are part of an Audience'], ['no', 'are not part of an Audience']], condition.member ? 'yes' : 'no', (value) => {
      condition.member = value === 'yes';
      context.changed();
    }, { 'aria-label': 'Membership', class: 'join' }), input, ends));
}

function traitNode(condition, context, ends) {
  const collection = context.level === 'ACCOUNTS' && !condition.quantifier ? 'accounts' : 'users';
  let type;
  const input = offered(condition, 'key', 'trait', context, async () =>
    (await schema.traits(collection))
      .filter((item) => (condition.offered === 'COMPUTED' ? item.class === 'COMPUTED' : item.class !== 'AUDIENCE'))
      .map((item) => [item.key, item.type]));
  input.dataset.focus = mark(condition);
  const learn = async () => {
    type = (await schema.traits(collection)).find((item) => item.key === condition.key)?.type;
  };
  input.addEventListener('change', learn);
  learn();
  return h('div', { class: 'condition' }, line(quantifier(condition, context),
    h('span', null, condition.offered === 'COMPUTED' ? 'have a computed trait' : 'have a trait'), input,
    comparisonInputs(condition, context, () => type, () => schema.traitValues(condition.key, collection)), ends));
}

function eventInput(model, context) {
  const input = offered(model, 'event', 'event name', context, async () =>
    (await schema.events()).map((item) => [item.name, '']));
  input.dataset.focus = mark(model);
  return input;
}

function counting(model, context) {
  return [
    select(comparators, model.comparator, (value) => {
      model.comparator = value;
      context.changed();
    }, { 'aria-label': 'Count comparator' }),
    numberInput(model, 'count', model.comparator === 'atLeast' ? 1 : 0, context), h('span', null, 'times'),
  ];
}

function numberInput(model, name, least, context) {
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

function filterLines(model, context, isChild, parent) {
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
      select([['property', 'property'], ['context', 'context']], filter.scope, (value) => {
        filter.scope = value;
        context.changed();
      }, { 'aria-label': 'Property or context', class: 'scope' }), input,
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

function fieldInput(owner, name, eventOwner, context, focus) {
  const input = offered(owner, name, 'property', context, async () =>
    (await schema.properties(eventOwner.event))
      .filter((item) => owner.scope !== 'context' ? item.kind === 'PROPERTY' : item.kind === 'CONTEXT')
      .map((item) => [item.name, item.type]));
  input.dataset.focus = focus;
  return input;
}

function comparisonInputs(item, context, typeOf, samples, kindChoice, parent) {
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

function windowLine(model, context, parent) {
  const { window } = model;
  if (!window) return null;
  const choices = [['within', parent ? 'any time within' : 'within the last'], ['between', 'in between'],
    ...(context.sessions ? [['session', 'in the latest session, which ends after']] : [])];
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

function addFilter(model, context) {
  return textButton('where', () => {
    const filter = emptyFilter();
    model.filters.push(filter);
    context.draw(mark(filter));
  });
}

function addWindow(model, context) {
  return model.window ? null : textButton('time window', () => {
    model.window = { kind: 'within', span: { count: 30, unit: 'day' } };
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

function offered(model, name, label, context, load) {
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

function iconButton(name, label, action) {
  return h('button', { type: 'button', class: 'icon-button', title: label, 'aria-label': label, onclick: action }, icon(name));
}

function textButton(label, action) {
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
