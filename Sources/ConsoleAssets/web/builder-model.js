// The state of the builder while it is edited, and its form in the API (docs/api.md): what the server reads and writes
// as `builder`. The server makes the query text of it; here nobody writes query language.
//
// An audience is `{groups: [{negated, conditions}]}`: groups are joined by AND, conditions of a group by OR.

export const operators = [
  ['equals', 'equals'], ['differs', 'not equals'], ['less_than', 'less than'],
  ['less_than_or_equal', 'less than or equal to'], ['greater_than', 'greater than'],
  ['greater_than_or_equal', 'greater than or equal to'], ['one_of', 'equals one of'], ['none_of', 'equals none of'],
  ['contains', 'contains'], ['omits', 'does not contain'], ['starts_with', 'starts with'], ['ends_with', 'ends with'],
  ['exists', 'exists'], ['absent', 'not exists'], ['before_date', 'before date'], ['after_date', 'after date'],
  ['within_last', 'within last'], ['within_next', 'within next'], ['before_last', 'before last'],
  ['after_next', 'after next'],
];

const operands = {
  exists: 'none', absent: 'none', one_of: 'list', none_of: 'list', contains: 'list', omits: 'list', before_date: 'date',
  after_date: 'date', within_last: 'span', within_next: 'span', before_last: 'span', after_next: 'span',
  starts_with: 'text', ends_with: 'text',
};

/** What an operator needs on its right: `none`, `one` (a constant or a reference), `text`, `list`, `date` or `span`. */
export const operandOf = (operator) => operands[operator] ?? 'one';

export const comparators = [['at_least', 'at least'], ['exactly', 'exactly'], ['at_most', 'at most']];

export const traitTypes = [
  ['event_counter', 'Event counter', 'How often somebody did something.'],
  ['aggregation', 'Aggregation', 'Sum, average, minimum or maximum of a number, such as revenue.'],
  ['most_frequent', 'Most frequent', 'The value seen most often, such as the favourite category.'],
  ['first', 'First', 'The first value seen, such as the first campaign.'],
  ['last', 'Last', 'The latest value seen, such as the last product viewed.'],
  ['unique_list', 'Unique list', 'All different values seen, in alphabetical order.'],
  ['unique_list_count', 'Unique list count', 'How many different values were seen.'],
];
export const aggregations = [['sum', 'Sum'], ['avg', 'Average'], ['min', 'Minimum'], ['max', 'Maximum']];

const week = () => ({ count: 7, unit: 'day' });

export const emptyFilter = () => ({
  scope: 'property', path: '', operator: 'equals', valueKind: 'constant', values: [], duration: week(),
});
export const emptyEvent = () => ({
  kind: 'event', quantifier: null, event: '', comparator: 'at_least', count: 1, filters: [], window: null, children: [],
});
export const emptyChild = (performed) => ({
  performed, event: '', comparator: 'at_least', count: 1, filters: [], window: { kind: 'within', span: week() },
});
export const emptyTraitCondition = () => ({
  kind: 'trait', quantifier: null, key: '', operator: 'equals', values: [], duration: week(),
});
export const emptyAudienceCondition = () => ({ kind: 'audience', quantifier: null, key: '', member: true });
export const emptyAudience = () => ({ groups: [{ negated: false, conditions: [] }] });
export const emptyTrait = (type) => ({
  type, aggregation: 'sum', event: '', filters: [], scope: 'property', property: '', dataType: 'default',
  minimumFrequency: 2, window: null,
});

// To the API.

function comparisonOut(item) {
  const out = { operator: item.operator };
  const first = item.values[0] ?? '';
  switch (operandOf(item.operator)) {
    case 'none': break;
    case 'list': out.values = item.values; break;
    case 'span': out.duration = item.duration; break;
    case 'date': out.value = { kind: 'constant', value: { date: first } }; break;
    case 'text': out.value = { kind: 'constant', value: String(first) }; break;
    default:
      out.value = item.valueKind === 'property' ? { kind: 'parent', property: String(first) }
        : item.valueKind === 'trait' ? { kind: 'trait', trait: String(first) }
          : { kind: 'constant', value: first };
  }
  return out;
}

const filterOut = (filter) => ({ [filter.scope]: filter.path, ...comparisonOut(filter) });

function windowOut(window) {
  if (!window) return { kind: 'any_time' };
  return window.kind === 'between'
    ? { kind: 'between', from: window.from, to: window.to } : { kind: window.kind, duration: window.span };
}

const eventOut = (event) => ({
  event: event.event, comparator: event.comparator, count: event.count, filters: event.filters.map(filterOut),
  window: windowOut(event.window),
});

function conditionOut(condition) {
  const quantifier = condition.quantifier ?? null;
  if (condition.kind === 'audience') {
    return { kind: 'audience', key: condition.key, member: condition.member, quantifier };
  }
  if (condition.kind === 'trait') {
    return { kind: 'trait', trait: condition.key, quantifier, ...comparisonOut(condition) };
  }
  return {
    kind: 'event', quantifier, ...eventOut(condition),
    children: condition.children.map((child) => ({ performed: child.performed, ...eventOut(child) })),
  };
}

/** The builder's state as the API takes it. */
export function toAPI(kindName, model) {
  if (kindName === 'audience') {
    return { groups: model.groups.map((group) => ({ negated: group.negated, conditions: group.conditions.map(conditionOut) })) };
  }
  const out = { type: model.type, event: model.event, conditions: model.filters.map(filterOut), window: windowOut(model.window) };
  if (model.type !== 'event_counter') out[model.scope] = model.property;
  if (model.type === 'aggregation') out.aggregation = model.aggregation;
  if (model.dataType && model.dataType !== 'default') out.dataType = model.dataType;
  if (model.type === 'most_frequent') out.minimumFrequency = model.minimumFrequency;
  return out;
}

// From the API.

function comparisonIn(json) {
  const { value } = json;
  const constant = value?.value;
  const first = value?.kind === 'parent' ? value.property : value?.kind === 'trait' ? value.trait
    : constant !== null && typeof constant === 'object' ? constant?.date : constant;
  return {
    operator: json.operator, values: json.values ?? (first === undefined ? [] : [first]), duration: json.duration ?? week(),
    valueKind: value?.kind === 'parent' ? 'property' : value?.kind === 'trait' ? 'trait' : 'constant',
  };
}

const filterIn = (json) => ({
  scope: json.context === undefined ? 'property' : 'context', path: json.context ?? json.property, ...comparisonIn(json),
});

function windowIn(json) {
  if (!json || json.kind === 'any_time') return null;
  return json.kind === 'between' ? { kind: 'between', from: json.from, to: json.to } : { kind: json.kind, span: json.duration };
}

const eventIn = (json) => ({
  event: json.event, comparator: json.comparator, count: json.count, filters: (json.filters ?? []).map(filterIn),
  window: windowIn(json.window),
});

function conditionIn(json) {
  const quantifier = json.quantifier ?? null;
  if (json.kind === 'audience') return { kind: 'audience', quantifier, key: json.key, member: json.member };
  if (json.kind === 'trait') return { kind: 'trait', quantifier, key: json.trait, ...comparisonIn(json) };
  return {
    kind: 'event', quantifier, ...eventIn(json),
    children: (json.children ?? []).map((child) => ({ performed: child.performed, ...eventIn(child) })),
  };
}

/** The builder's state from what the API gives; `null` where it gives none. */
export function fromAPI(kindName, json) {
  if (!json) return null;
  if (kindName === 'audience') {
    return { groups: json.groups.map((group) => ({ negated: group.negated, conditions: group.conditions.map(conditionIn) })) };
  }
  return {
    ...emptyTrait(json.type), event: json.event, filters: (json.conditions ?? []).map(filterIn), window: windowIn(json.window),
    aggregation: json.aggregation ?? 'sum', scope: json.context === undefined ? 'property' : 'context',
    property: json.context ?? json.property ?? '', dataType: json.dataType ?? 'default',
    minimumFrequency: json.minimumFrequency ?? 2,
  };
}

/** What is still missing before the text makes sense, in words; `null` when nothing is. */
export function missing(kindName, model) {
  if (kindName === 'trait') {
    if (!model.event) return 'Choose the event.';
    if (model.type !== 'event_counter' && !model.property) return 'Choose the event property.';
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
