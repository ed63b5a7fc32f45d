// The builder's model, written in the query language (spec: engage §3.6). The server checks the text and prints it in its
// own way; here it only has to be right.
//
// An audience is `{groups: [{negated, conditions}]}`: groups are joined by AND, conditions of a group by OR.
// A condition is of kind `event`, `trait` or `audience`; a computed trait has a `type`. docs/api.md has the whole shape.

export const operators = [
  ['equals', 'equals'], ['differs', 'not equals'], ['lessThan', 'less than'], ['lessThanOrEqual', 'less than or equal to'],
  ['greaterThan', 'greater than'], ['greaterThanOrEqual', 'greater than or equal to'], ['oneOf', 'equals one of'],
  ['noneOf', 'equals none of'], ['contains', 'contains'], ['omits', 'does not contain'], ['startsWith', 'starts with'],
  ['endsWith', 'ends with'], ['exists', 'exists'], ['absent', 'not exists'], ['beforeDate', 'before date'],
  ['afterDate', 'after date'], ['withinLast', 'within last'], ['withinNext', 'within next'],
  ['beforeLast', 'before last'], ['afterNext', 'after next'],
];

const symbols = {
  equals: '=', differs: '!=', lessThan: '<', lessThanOrEqual: '<=', greaterThan: '>', greaterThanOrEqual: '>=',
};
const functions = {
  oneOf: 'one_of', noneOf: 'none_of', contains: 'contains', omits: 'omits', startsWith: 'starts_with',
  endsWith: 'ends_with', exists: 'exists', absent: 'absent', beforeDate: 'before_date', afterDate: 'after_date',
  withinLast: 'within_last', withinNext: 'within_next', beforeLast: 'before_last', afterNext: 'after_next',
};

/** What an operator needs on its right: `none`, `one`, `list`, `date` or `span`. */
export function operandOf(operator) {
  if (operator === 'exists' || operator === 'absent') return 'none';
  if (operator === 'oneOf' || operator === 'noneOf' || operator === 'contains' || operator === 'omits') return 'list';
  if (operator === 'beforeDate' || operator === 'afterDate') return 'date';
  if (['withinLast', 'withinNext', 'beforeLast', 'afterNext'].includes(operator)) return 'span';
  return 'one';
}

export const comparators = [['atLeast', 'at least'], ['exactly', 'exactly'], ['atMost', 'at most']];
const counts = { atLeast: '>=', exactly: '=', atMost: '<=' };

export const traitTypes = [
  ['eventCounter', 'Event counter', 'How often somebody did something.'],
  ['aggregation', 'Aggregation', 'Sum, average, minimum or maximum of a number, such as revenue.'],
  ['mostFrequent', 'Most frequent', 'The value seen most often, such as the favourite category.'],
  ['first', 'First', 'The first value seen, such as the first campaign.'],
  ['last', 'Last', 'The latest value seen, such as the last product viewed.'],
  ['uniqueList', 'Unique list', 'All different values seen, in alphabetical order.'],
  ['uniqueListCount', 'Unique list count', 'How many different values were seen.'],
];
export const aggregations = [['sum', 'Sum'], ['average', 'Average'], ['minimum', 'Minimum'], ['maximum', 'Maximum']];

/** A text in quotes. */
export function quote(text) {
  return `'${String(text).replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n').replace(/\r/g, '\\r').replace(/\t/g, '\\t')}'`;
}

/** A path in quotes. In the builder it is written as in the language: dots separate, `\.` is a dot, `$` each element. */
const path = (text) => `'${String(text).replace(/'/g, "\\'")}'`;

function literal(value) {
  return typeof value === 'number' && Number.isFinite(value) ? plainNumber(value) : quote(value ?? '');
}

function plainNumber(value) {
  const text = String(value);
  return text.includes('e') ? value.toLocaleString('en-US', { useGrouping: false, maximumFractionDigits: 20 }) : text;
}

const span = ({ count, unit }) => `${count} ${unit}${Number(count) === 1 ? '' : 's'}`;

function comparison(left, operator, values, duration, right) {
  if (operator in symbols) return `${left} ${symbols[operator]} ${right ?? literal(values[0])}`;
  const operand = operandOf(operator);
  const inside = operand === 'none' ? '' : operand === 'span' ? span(duration) : (values.length ? values : ['']).map(literal).join(', ');
  return `${left}.${functions[operator]}(${inside})`;
}

function filterText(filter) {
  const left = `${filter.scope}(${path(filter.path)})`;
  const right = filter.valueKind === 'property' ? `property(parent: ${path(filter.values[0] ?? '')})`
    : filter.valueKind === 'trait' ? `trait(${path(filter.values[0] ?? '')})` : undefined;
  return comparison(left, filter.operator, filter.values, filter.duration, right);
}

function windowText(window, parent) {
  if (!window) return '';
  const of = parent ? 'parent: ' : '';
  if (window.kind === 'between') return `.between(${of}${span(window.from)}, ${span(window.to)})`;
  if (window.kind === 'session') return `.expires_after(${span(window.span)})`;
  return `.within(${of}${span(window.span)})`;
}

function streamText(model, parent) {
  const inner = [...model.filters.map(filterText), ...(model.children ?? []).map(childText)];
  const where = inner.length > 0 ? `.where(${inner.join(' AND ')})` : '';
  return `event(${quote(model.event)})${where}${windowText(model.window, parent)}`;
}

function childText(child) {
  const text = `${streamText(child, true)}.count() ${counts[child.comparator]} ${child.count}`;
  return child.performed ? text : `NOT ${text}`;
}

function conditionText(condition) {
  const text = condition.kind === 'event' ? `${streamText(condition)}.count() ${counts[condition.comparator]} ${condition.count}`
    : condition.kind === 'audience' ? `${condition.member ? '' : 'NOT '}trait(${path(condition.key)}) = 'true'`
      : comparison(`trait(${path(condition.key)})`, condition.operator, condition.values, condition.duration);
  const quantifiers = { any: 'ANY ', all: 'ALL ', none: 'ALL NOT ' };
  if (!condition.quantifier) return text;
  return `${quantifiers[condition.quantifier]}${text.startsWith('NOT ') ? `(${text})` : text}`;
}

export function audienceText(model) {
  const many = model.groups.length > 1;
  return model.groups.map((group) => {
    const inner = group.conditions.map(conditionText).join(' OR ');
    const needsParentheses = group.conditions.length > 1 && (many || group.negated);
    if (group.negated) return `NOT ${needsParentheses || inner.startsWith('NOT ') ? `(${inner})` : inner}`;
    return needsParentheses ? `(${inner})` : inner;
  }).join(' AND ');
}

export function traitText(model) {
  const field = `${model.scope ?? 'property'}(${path(model.property)})`;
  const as = model.dataType && model.dataType !== 'default' ? ` as ${model.dataType}` : '';
  const names = { sum: 'sum', average: 'avg', minimum: 'min', maximum: 'max' };
  const reducer = {
    eventCounter: () => 'count()',
    aggregation: () => `${names[model.aggregation]}(${field})`,
    mostFrequent: () => `mode(${field}${as}, ${model.minimumFrequency})`,
    first: () => `first(${field})`,
    last: () => `last(${field})`,
    uniqueList: () => `unique(${field})`,
    uniqueListCount: () => `unique(${field}).count()`,
  }[model.type]();
  return `${streamText(model)}.${reducer}`;
}

/** What is still missing before the text makes sense, in words; `null` when nothing is. */
export function missing(kindName, model) {
  if (kindName === 'trait') {
    if (!model.event) return 'Choose the event.';
    if (model.type !== 'eventCounter' && !model.property) return 'Choose the event property.';
    return filtersMissing(model.filters);
  }
  for (const group of model.groups) {
    if (group.conditions.length === 0) return 'Add a condition.';
    for (const condition of group.conditions) {
      const lack = conditionMissing(condition);
      if (lack) return lack;
    }
  }
  return null;
}

function conditionMissing(condition) {
  if (condition.kind === 'event') {
    if (!condition.event) return 'Choose the event.';
    for (const child of condition.children) {
      if (!child.event) return 'Choose the event that follows.';
      const lack = filtersMissing(child.filters);
      if (lack) return lack;
    }
    return filtersMissing(condition.filters);
  }
  if (!condition.key) return condition.kind === 'audience' ? 'Choose the audience.' : 'Choose the trait.';
  return condition.kind === 'trait' ? valueMissing(condition) : null;
}

function filtersMissing(filters) {
  for (const filter of filters) {
    if (!filter.path) return 'Choose the property to compare.';
    const lack = valueMissing(filter);
    if (lack) return lack;
  }
  return null;
}

function valueMissing(item) {
  const operand = operandOf(item.operator);
  if (operand === 'none' || operand === 'span') return null;
  const filled = item.values.some((value) => value !== '' && value !== undefined);
  return filled ? null : 'Enter the value to compare with.';
}

export const emptyFilter = () => ({ scope: 'property', path: '', operator: 'equals', valueKind: 'constant', values: [], duration: { count: 7, unit: 'day' } });
export const emptyEvent = () => ({ kind: 'event', quantifier: null, event: '', comparator: 'atLeast', count: 1, filters: [], window: null, children: [] });
export const emptyChild = (performed) => ({ performed, event: '', comparator: 'atLeast', count: 1, filters: [], window: { kind: 'within', span: { count: 7, unit: 'day' } } });
export const emptyTraitCondition = () => ({ kind: 'trait', quantifier: null, key: '', operator: 'equals', values: [], duration: { count: 7, unit: 'day' } });
export const emptyAudienceCondition = () => ({ kind: 'audience', quantifier: null, key: '', member: true });
export const emptyAudience = () => ({ groups: [{ negated: false, conditions: [] }] });
export const emptyTrait = (type) => ({ type, aggregation: 'sum', event: '', filters: [], scope: 'property', property: '', dataType: 'default', minimumFrequency: 2, window: null });
