// Why somebody is, or is not, in an audience, or has the value of a computed trait: condition by condition, at any instant.

import { api, query } from '../api.js';
import { h, replace } from '../dom.js';
import { number, time, value } from '../format.js';
import { icon } from '../icons.js';
import { badge, card, emptyState, figure, linkButton, loading, notice, pageHead, person, personDetail } from '../computation-parts.js';
import { instantPicker } from '../instant-picker.js';
import { kinds } from './computations.js';

export function whyPage(kindName) {
  const kind = kinds[kindName];
  return async (context) => {
    const path = `${kind.path}/${encodeURIComponent(context.parameters.id)}`;
    const item = (await api.get(path, context.signal))[kind.single];
    const body = h('div', { class: 'stack' }, loading());
    const title = h('span', null, `Why in “${item.name}”, or not`);

    async function draw(at) {
      const address = `${path}/members/${encodeURIComponent(context.parameters.profile)}/why${query({ at })}`;
      let why;
      try {
        why = (await api.get(address, context.signal)).why;
      } catch (error) {
        if (error.name === 'AbortError') throw error;
        replace(body, error.status === 404
          ? emptyState('Not known', error.message, linkButton('Find a profile', '#/profiles'))
          : notice('bad', 'No answer.', error.message));
        return;
      }
      replace(title, question(why, kindName, item));
      replace(body, answer(why, kindName, item), steps(why, kindName), card('Condition by condition', [
        h('p', { class: 'quiet' }, 'Each part of the definition with what counts for it. Times are those of the events themselves.'),
        h('ul', { class: 'why' }, part(why.explanation, why)),
      ]));
    }

    const picker = instantPicker('As of', draw);
    await draw(context.query.get('at'));
    return [
      pageHead(title, {
        trail: [[kind.title, `#/${kind.route}`], [item.name, `#/${kind.route}/${item.id}`]], actions: [picker],
      }),
      body,
    ];
  };
}

function question(why, kindName, item) {
  const who = person(why.profile);
  if (kindName === 'trait') return ['Why “', item.name, '” of ', who, ' is ', value(why.value)];
  return ['Why ', who, why.member ? ' is in “' : ' is not in “', item.name, '”'];
}

function answer(why, kindName, item) {
  const profile = why.profile;
  const verdict = kindName === 'audience'
    ? badge(why.member ? 'in' : 'not in', why.member ? 'good' : 'neutral') : h('span', null, value(why.value));
  return h('div', { class: 'stack' },
    card(null, h('div', { class: 'figures' },
      figure('Profile', h('a', { href: `#/profiles/${profile.id}` }, person(profile)), personDetail(profile)),
      figure(item.name, verdict, ['as of ', time(why.at)]),
      figure('So since', why.explanation.since ? time(why.explanation.since) : 'always', 'by everything that is known now'),
      figure('Next change', next(why.nextChange), why.nextChange?.at ? nextWords(why, kindName) : 'if nothing happens'))),
    why.qualifies ? null : notice('warn', 'Not looked at.',
      `This profile has no id of the kinds that are asked for (${why.filterByExternalIds.join(', ')}), so it is left out whatever it does.`));
}

function next(change) {
  if (!change) return 'never by itself';
  return change.at ? time(change.at) : ['not before ', time(change.notBefore)];
}

function nextWords(why, kindName) {
  if (kindName === 'audience') return why.nextChange.value === true ? 'comes in, if nothing happens' : 'leaves, if nothing happens';
  return `becomes ${value(why.nextChange.value)}, if nothing happens`;
}

function steps(why, kindName) {
  if (kindName !== 'audience' || !why.toChange) return null;
  return card(why.member ? 'What would end it' : 'What would have to change', h('ul', { class: 'why' }, change(why.toChange)));
}

function change(item) {
  const group = item.all ?? item.any;
  if (group) {
    return h('li', null, h('span', { class: 'quiet' }, item.all ? 'all of' : 'one of'), h('ul', null, group.map(change)));
  }
  return h('li', null, badge(item.mustHold ? 'must become true' : 'must become false', item.mustHold ? 'good' : 'bad'), ' ',
    h('code', { class: 'why-text' }, item.text),
    h('span', { class: 'sub' }, `now ${value(item.value)}`, item.user && [' · ', person(item.user)],
      item.mayChangeAt && [' · time alone may change it ', time(item.mayChangeAt)]));
}

const words = { or: 'any of these', and: 'all of these', not: 'not', any: 'at least one user', all: 'every user' };

function part(item, why) {
  const isValue = item.kind === 'comparison' || item.kind === 'value';
  return h('li', { class: item.holds === null ? 'value' : item.holds ? 'holds' : 'fails' },
    h('div', { class: 'why-head' },
      item.holds !== null && h('span', { class: 'verdict', role: 'img', 'aria-label': item.holds ? 'true' : 'false' }, item.holds ? '✓' : '✗'),
      isValue ? h('code', { class: 'why-text' }, item.text) : h('strong', null, words[item.kind] ?? item.kind),
      item.user && h('a', { href: `#/profiles/${item.user.id}` }, person(item.user))),
    h('span', { class: 'sub' },
      isValue && item.value !== undefined && ['is ', h('strong', null, value(item.value)),
        item.comparedWith !== undefined && [' against ', h('strong', null, value(item.comparedWith))], ' · '],
      item.since ? ['since ', time(item.since)] : 'always so',
      item.mayChangeAt && [' · may change ', time(item.mayChangeAt)]),
    isValue && evidence(item, why),
    item.children?.length > 0 && h('ul', null, item.children.map((child) => part(child, why))));
}

function evidence(item, why) {
  const traits = (item.traits ?? []).map((trait) => {
    const computed = why.reads.find((one) => one.key === trait.key);
    return h('p', { class: 'sub' }, icon('profiles'), ' ',
      computed ? h('a', { href: `#/${computed.id.startsWith('aud_') ? 'audiences' : 'traits'}/${computed.id}/why/${why.profile.id}` }, computed.name)
        : h('code', null, trait.key),
      ' = ', h('strong', null, value(trait.value)), trait.setBy && [' set ', time(trait.setBy.timestamp)]);
  });
  if (!item.eventCount) return traits;
  const hidden = item.eventCount - item.events.length;
  return [traits, h('details', null,
    h('summary', null, `${number(item.eventCount)} ${item.eventCount === 1 ? 'event counts' : 'events count'}`),
    h('ol', { class: 'why-events' }, item.events.map((event) => h('li', null,
      h('span', null, event.name), ' ', time(event.timestamp),
      event.leavesAt && h('span', { class: 'sub' }, 'too old ', time(event.leavesAt)),
      h('code', { class: 'sub' }, event.messageId)))),
    hidden > 0 && h('p', { class: 'sub' }, `and ${number(hidden)} older ones`),
    item.innerEvents?.length > 0 && [h('p', { class: 'sub' }, 'and, inside of where:'),
      h('ol', { class: 'why-events' }, item.innerEvents.map((event) => h('li', null, h('span', null, event.name), ' ', time(event.timestamp),
        h('code', { class: 'sub' }, event.messageId))))])];
}
