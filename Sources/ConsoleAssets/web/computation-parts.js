// What the pages of audiences and computed traits share, beside the general widgets.

import { h } from './dom.js';
import { count, duration } from './format.js';
import { progress } from './charts.js';
import { bolt } from './icons.js';
import { checkbox, field, select } from './widgets.js';

export * from './widgets.js';

/** `62 %` of a backfill in a list. */
export function progressNote(backfill) {
  if (!backfill || backfill.total === 0) return null;
  return h('span', { class: 'sub' }, `${Math.floor((backfill.done / backfill.total) * 100)} % of history`);
}

/** The backfill with bar, pace and time left. */
export function backfillBar(backfill) {
  if (!backfill) return null;
  const pace = backfill.profilesPerSecond ? `${count(Math.round(backfill.profilesPerSecond), 'profile')} per second` : null;
  const rest = backfill.remainingMilliseconds !== null && backfill.remainingMilliseconds !== undefined
    ? `about ${duration(backfill.remainingMilliseconds)} left` : null;
  return h('div', { class: 'stack' },
    progress(backfill.done, backfill.total, 'Backfill'),
    h('p', { class: 'quiet' }, [`${backfill.done.toLocaleString('en-US')} of ${count(backfill.total, 'profile')} evaluated`,
      pace, rest].filter(Boolean).join(' · ')));
}

/** The bolt with its words, and below why. */
export function realtimeMark(explanation) {
  return h('span', { class: 'realtime', title: explanation ?? '' }, bolt(), 'Realtime Enabled');
}

/** The key that a name will get: `Dormant Shoppers` → `dormant_shoppers` (spec: engage §7.3). The server has the last word. */
export function keyOf(name) {
  return name.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]+/gu, '_').replace(/^_+|_+$/g, '');
}

export const defaultSettings = () => ({
  sendIdentify: true, sendTrack: false, enterEvent: 'Audience Entered', exitEvent: 'Audience Exited',
  computeEvent: 'Trait Computed', enabled: true, firstSync: 'full',
});

const firstSyncs = [['full', 'Tell everything that is switched on above'], ['silent', 'Silent: attributes only, no events'], ['none', 'Tell nothing, only changes from now on']];

/** The form of connection settings (spec: engage §7.8); changes `settings` in place. */
export function connectionSettings(kindName, settings, key, changed = () => {}, { isNew = false } = {}) {
  const node = h('div', { class: 'stack' });
  const text = (name) => {
    const input = h('input', {
      type: 'text', value: settings[name],
      oninput: (event) => { settings[name] = event.target.value; changed(); },
    });
    return input;
  };
  const names = h('div', { class: 'stack' }, kindName === 'audience'
    ? [field('Enter event', text('enterEvent'), { hint: 'The custom event’s name when somebody enters.' }),
      field('Exit event', text('exitEvent'), { hint: 'The custom event’s name when somebody leaves.' })]
    : field('Compute event', text('computeEvent'), { hint: 'The custom event’s name when the value changes.' }));
  names.hidden = !settings.sendTrack;
  const none = h('p', { class: 'error' }, 'With both off, nothing is sent.');
  const check = () => { none.hidden = settings.sendIdentify || settings.sendTrack; };
  check();
  const already = field('Those who are in already', select(firstSyncs, settings.firstSync, (mode) => { settings.firstSync = mode; changed(); }), {
    hint: isNew
      ? 'Events can start campaigns and Canvases: silent keeps them from reaching people who have been in for long.'
      : 'What is switched on is sent for them, and attributes again when their name, the traits that go along or the ids change; events never again.',
  });
  const example = kindName === 'audience' ? 'true or false' : 'the value';
  node.append(...[
    checkbox('Send Identify: custom attribute', settings.sendIdentify, (on) => { settings.sendIdentify = on; check(); changed(); },
      { hint: `In Braze: the custom attribute ${settings.keyName || key || 'named like the key'} with ${example}.` }),
    checkbox('Send Track: custom events', settings.sendTrack, (on) => {
      settings.sendTrack = on;
      names.hidden = !on;
      check();
      changed();
    }, { hint: 'In Braze: a custom event with how often and when last.' }),
    names, none,
    isNew && already,
    overrides(settings, key, changed),
    !isNew && already,
    checkbox('Connect to destination', settings.enabled, (on) => { settings.enabled = on; changed(); },
      { hint: 'Off keeps the settings and sends nothing.' })].filter(Boolean));
  return node;
}

/** What few connections change: another name, nobody created, traits that go along. */
function overrides(settings, key, changed) {
  const lines = (settings.traitEnrichment ?? []).map((one) => (one.name === one.trait ? one.trait : `${one.trait} = ${one.name}`));
  return h('details', null, h('summary', null, 'More settings'), h('div', { class: 'stack' },
    field('Name of the attribute', h('input', {
      type: 'text', value: settings.keyName ?? '', placeholder: key,
      oninput: (event) => { settings.keyName = event.target.value.trim() || null; changed(); },
    }), { hint: 'Instead of the key.', optional: true }),
    checkbox('Update existing users only', settings.updateExistingOnly === true, (on) => { settings.updateExistingOnly = on; changed(); },
      { hint: 'Creates nobody in Braze.' }),
    settings.sendGroup !== undefined && checkbox('Send Group', settings.sendGroup, (on) => { settings.sendGroup = on; changed(); },
      { hint: 'Tells of the account itself. Braze has no use for it, a webhook may.' }),
    field('Traits that go along', h('textarea', {
      rows: Math.max(2, lines.length), value: lines.join('\n'), placeholder: 'one per line: plan, or plan = subscription_plan',
      oninput: (event) => {
        settings.traitEnrichment = event.target.value.split('\n').map((line) => line.split('=').map((part) => part.trim()))
          .filter(([trait]) => trait !== '').map(([trait, name]) => ({ trait, name: name || trait }));
        changed();
      },
    }), { hint: 'With every call of this connection, as they are then. Not sent by themselves.', optional: true })));
}

/** Who is meant, in a few words: a name, an e-mail address, an id. */
export function person(row) {
  const name = row.name ?? row.email ?? row.userId ?? row.groupId ?? row.anonymousId;
  return name ?? h('code', null, row.profileId ?? row.id);
}

/** Both unless they are the same. */
export function personDetail(row) {
  const parts = [row.email, row.userId, row.groupId].filter((part) => part && part !== row.name);
  if (row.name === undefined || row.name === null) parts.shift();
  return parts.join(' · ');
}
