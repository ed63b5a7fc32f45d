// The builder: conditions as rows of plain inputs over the model of builder-model.js. Structural changes draw it anew;
// typing only changes the model, so the focus stays where it is.

import { h, replace } from './dom.js';
import {
  addFilter, addWindow, comparisonInputs, counting, eventInput, fieldInput, filterLines, iconButton, line, mark, menu,
  numberInput, offered, textButton, windowLine,
} from './builder-inputs.js';
import {
  aggregations, emptyAudienceCondition, emptyChild, emptyEvent, emptyTraitCondition,
} from './builder-model.js';
import * as schema from './schema.js';
import { select } from './widgets.js';

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
  const context = { level: 'USERS', changed, draw, isTrait: true };

  function draw(focus) {
    const byCount = model.type === 'event_counter';
    replace(node, h('div', { class: 'group-body' }, h('div', { class: 'condition' },
      line(h('span', null, model.type === 'aggregation' ? 'The' : byCount ? 'How often' : 'Of'),
        model.type === 'aggregation' && [select(aggregations, model.aggregation, (value) => {
          model.aggregation = value;
          changed();
        }, { 'aria-label': 'Aggregation' }), h('span', null, 'over')],
        eventInput(model, context)),
      !byCount && line(h('span', null, 'event property'), fieldInput(model, 'property', model, context, mark(model, 'property')),
        model.type === 'most_frequent' && [
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
