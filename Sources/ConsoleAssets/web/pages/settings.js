// How long events are kept: the rules, and what a change would delete before it is saved.

import { api, space } from '../api.js';
import { freshId, h, replace } from '../dom.js';
import { bytes, count, number, time } from '../format.js';
import {
  button, card, confirm, doing, failure, figure, notice, pageHead, select, table, toast,
} from '../widgets.js';

const path = `${space}/retention`;

export async function settingsPage(context) {
  const [{ retention }, { events }] = await Promise.all([
    api.get(path, context.signal), api.get(`${space}/events?count=200`, context.signal),
  ]);
  const body = h('div', { class: 'stack' });
  const show = (now) => replace(body, retentionCard(now, events, show));
  show(retention);
  return [pageHead('Settings', { note: 'What holds for everything that this server keeps.' }), body];
}

const words = (days) => (days === null ? 'for ever' : `for ${count(days, 'day')}`);

function retentionCard(retention, events, show) {
  const general = ageControl(retention.days, 'All events');
  const exceptions = h('div', { class: 'rule' });
  const review = h('div', { class: 'stack', 'aria-live': 'polite' });
  const names = freshId('events');
  const rows = [];
  const forget = () => replace(review);

  const add = (name, days) => {
    const input = h('input', { type: 'text', list: names, value: name, 'aria-label': 'Event', placeholder: 'Event name', maxlength: 1000 });
    const age = ageControl(days, `How long ${name || 'this event'} is kept`);
    const row = { input, age };
    row.node = h('div', { class: 'actions' }, input, age.node, button('Remove', () => {
      rows.splice(rows.indexOf(row), 1);
      row.node.remove();
      forget();
    }));
    rows.push(row);
    exceptions.append(row.node);
    return input;
  };
  for (const [name, days] of Object.entries(retention.events)) add(name, days);

  const rules = () => ({
    days: general.days(),
    events: Object.fromEntries(rows.filter((row) => row.input.value).map((row) => [row.input.value, row.age.days()])),
  });
  const form = h('form', {
    class: 'stack', oninput: forget, onchange: forget, onsubmit: doing(async (event) => {
      event.preventDefault();
      const wanted = rules();
      try {
        const { dryRun } = await api.put(`${path}?dryRun=true`, wanted);
        replace(review, consequences(dryRun, wanted, async () => {
          const isSure = dryRun.events === 0 || await confirm({
            title: `Delete ${count(dryRun.events, 'event')}?`, action: 'Delete and save',
            text: `They are of ${count(dryRun.people, 'person', 'people')} and can’t be brought back, not even by keeping events longer again.`,
          });
          if (!isSure) return;
          const { retention: saved } = await api.put(path, wanted);
          toast('Saved.');
          show(saved);
        }));
        review.querySelector('button')?.focus();
      } catch (error) {
        replace(review, failure(error));
      }
    }),
  },
  h('div', { class: 'rule' },
    h('h3', null, 'Keep events'),
    general.node,
    h('p', { class: 'hint' }, 'Counted from the time at which an event happened. Profiles, their ids and traits, and who is in an audience now, are kept in any case. Keeping events longer does not bring back what was deleted.')),
  h('div', { class: 'rule' },
    h('h3', null, 'Exceptions'),
    h('p', { class: 'hint' }, 'Events that are kept shorter or longer than the others.'),
    exceptions),
  h('datalist', { id: names }, events.map((event) => h('option', { value: event.name }))),
  h('div', { class: 'actions' },
    button('Add exception', () => add('', 90).focus(), { name: 'plus' }),
    h('button', { type: 'submit', class: 'button primary' }, 'Review change')),
  review);

  return [
    card('Retention', h('div', { class: 'stack' }, state(retention), short(retention.readers))),
    card('Change the rules', form),
  ];
}

/** `Keep for ever`, or a number of days. */
function ageControl(days, label) {
  const input = h('input', {
    type: 'number', min: 1, max: 36500, step: 1, required: true, value: days ?? 365, 'aria-label': `${label}: days`,
  });
  const unit = h('span', { class: 'quiet' }, 'days');
  const choose = select([['forever', 'for ever'], ['days', 'for']], days === null ? 'forever' : 'days', (choice) => update(choice), { 'aria-label': label });
  const update = (choice) => {
    input.hidden = choice === 'forever';
    input.disabled = input.hidden;
    unit.hidden = input.hidden;
  };
  update(choose.value);
  return { node: h('div', { class: 'actions' }, choose, input, unit), days: () => (choose.value === 'forever' ? null : input.valueAsNumber) };
}

/** What is in force, and when something was and will be deleted. */
function state(retention) {
  const exceptions = Object.entries(retention.events);
  const isLimited = limits(retention);
  return h('div', { class: 'figures' },
    figure('Events are kept', words(retention.days), exceptions.length > 0
      ? `with ${count(exceptions.length, 'exception')}` : 'without exception'),
    figure('Last deleted', retention.lastExpiryAt ? time(retention.lastExpiryAt) : 'never'),
    figure('Next time', isLimited && retention.nextExpiryAt ? time(retention.nextExpiryAt) : 'not planned',
      isLimited ? 'once a day' : 'nothing is ever too old'),
    retention.lateEvents > 0 && figure('Came too late', number(retention.lateEvents), 'events that were too old when they came'));
}

/** Which definitions ask for more than there is. */
function short(readers) {
  if (readers.length === 0) return null;
  return notice('warn', `${count(readers.length, 'definition')} ${readers.length === 1 ? 'looks' : 'look'} farther back than events are kept.`,
    'What is older no longer counts for them. Shorten their time window, or keep the events longer.',
    [h('ul', null, readers.map((reader) => h('li', null,
      h('a', { href: `#/${reader.type === 'AUDIENCE' ? 'audiences' : 'traits'}/${encodeURIComponent(reader.id)}` }, reader.name),
      ` looks ${reader.looksBackDays === null ? 'back without limit' : `${count(reader.looksBackDays, 'day')} back`} at ${reader.event}, which is kept ${words(reader.keptDays)}.`)))]);
}

const limits = (rules) => [rules.days, ...Object.values(rules.events)].some((days) => days !== null);

function consequences(dryRun, rules, save) {
  const nothing = dryRun.events === 0;
  const later = limits(rules) ? 'From now on, events that get too old are deleted once a day.' : 'By these rules nothing is ever too old.';
  return [
    nothing
      ? notice('good', 'Nothing would be deleted now.', later)
      : notice('warn', `${count(dryRun.events, 'event')} of ${count(dryRun.people, 'person', 'people')} would be deleted at once, for good.`,
        `They take about ${bytes(dryRun.bytes)}. Audiences stay as they are for now: who is in them is worked out from what is left with a person’s next event, or when the audience is changed.`),
    dryRun.unknownEvents.length > 0 && notice('info', `Not seen so far: ${dryRun.unknownEvents.join(', ')}.`,
      'The rule holds as soon as such an event comes. Is the name spelt as it is sent?'),
    short(dryRun.readers),
    !nothing && table([
      { name: 'Event', cell: (row) => row.event },
      { name: 'Kept', tone: 'tight', cell: (row) => words(row.days) },
      { name: 'Deleted', tone: 'number', cell: (row) => number(row.events) },
      { name: 'Of', tone: 'number', cell: (row) => number(row.total) },
      { name: 'People', tone: 'number', cell: (row) => number(row.people) },
      { name: 'About', tone: 'number', cell: (row) => bytes(row.bytes) },
    ], dryRun.names, { label: 'What would be deleted' }),
    h('div', { class: 'actions' }, button(nothing ? 'Save' : `Delete ${count(dryRun.events, 'event')} and save`, doing(save), { kind: nothing ? 'primary' : 'danger' })),
  ];
}
