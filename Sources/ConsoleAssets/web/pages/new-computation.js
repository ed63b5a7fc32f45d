// New: select type → configure → select destinations → review and create (spec: engage §12.1, §12.2; the seed, steps 2–5).

import { api, ApiError } from '../api.js';
import { definitionEditor } from '../definition-editor.js';
import { estimateNote } from '../destination-economy.js';
import { debounce, h, replace } from '../dom.js';
import { icon } from '../icons.js';
import { emptyAudience, emptyTrait, traitTypes } from '../builder-model.js';
import { forgetSchema } from '../schema.js';
import {
  button, card, checkbox, connectionSettings, defaultSettings, doing, emptyState, field, keyOf, linkButton, notice,
  pageHead, realtimeMark, select, sideSheet, status, toast,
} from '../computation-parts.js';
import { kinds } from './computations.js';

const identified = ['user_id', 'email', 'android.idfa', 'ios.idfa'];
const stepNames = ['Select Type', 'Configure', 'Select Destinations', 'Review & Create'];

export function newComputationPage(kindName) {
  const kind = kinds[kindName];
  return async (context) => {
    forgetSchema();
    const { destinations } = await api.get('/destinations', context.signal);
    const state = {
      level: 'USERS', type: null, model: null, query: '', name: '', description: '', errors: null,
      options: { includeHistoricalData: true, filterByExternalIds: identified }, chosen: new Map(), check: null,
    };
    const node = h('div', { class: 'stack' });
    let step = 0;

    function go(next) {
      step = next;
      replace(node, head(), steps(), [typeStep, configureStep, destinationStep, reviewStep][step]());
      window.scrollTo(0, 0);
      node.querySelector('h1').focus();
    }

    function head() {
      return pageHead(`New ${kind.one}`, {
        trail: [[kind.title, `#/${kind.route}`]], actions: [linkButton('Cancel', `#/${kind.route}`)],
      });
    }

    function steps() {
      return h('ol', { class: 'steps', 'aria-label': 'Steps' }, stepNames.map((name, index) =>
        h('li', { class: index < step ? 'done' : '', 'aria-current': index === step ? 'step' : null }, name)));
    }

    function footer(next, enabled = true) {
      const forward = button(next, () => go(step + 1), { kind: 'primary', disabled: !enabled });
      return { forward, node: h('div', { class: 'actions' }, button('Previous Step', () => go(step - 1)), forward) };
    }

    function typeStep() {
      const choose = (level, type) => {
        if (state.level !== level || state.type !== type || !state.model) {
          state.model = kindName === 'audience' ? emptyAudience() : emptyTrait(type);
          state.query = '';
        }
        Object.assign(state, { level, type });
        go(1);
      };
      const tile = (title, text, action) => h('button', { type: 'button', class: 'tile', onclick: action },
        h('strong', null, title), h('span', { class: 'quiet' }, text));
      if (kindName === 'audience') {
        return h('div', { class: 'tiles' },
          tile('Users', 'People, by what they did and what is known of them.', () => choose('USERS')),
          tile('Accounts', 'Companies or groups, by what their users did and what is known of either.', () => choose('ACCOUNTS')));
      }
      const level = { value: state.level };
      return [
        h('div', { class: 'row' }, h('label', { for: 'level' }, 'Computed for'),
          select([['USERS', 'Users'], ['ACCOUNTS', 'Accounts']], level.value, (chosen) => { level.value = chosen; }, { id: 'level' })),
        h('div', { class: 'tiles' }, traitTypes.map(([type, title, text]) => tile(title, text, () => choose(level.value, type)))),
      ];
    }

    function configureStep() {
      const foot = footer('Select Destinations', false);
      const editor = definitionEditor({
        kindName, kind, state, signal: context.signal,
        changed: (check) => {
          state.check = check;
          foot.forward.disabled = !check?.valid;
        },
      });
      return [
        h('div', { class: 'row spread' }, h('h2', null, kindName === 'audience'
          ? 'Configure and Preview Your Audience' : 'Configure and Preview Your Trait'), editor.mark),
        h('div', { class: 'columns-2' },
          h('div', { class: 'stack' },
            kindName === 'audience' && h('p', { class: 'quiet' }, 'This audience contains…'), editor.node, foot.node),
          editor.preview),
      ];
    }

    function destinationStep() {
      const foot = footer(stepNames[3]);
      if (destinations.length === 0) {
        return [emptyState('No destination yet', `You can create the ${kind.one} now and connect Braze later: it will then get everybody.`,
          linkButton('Add Braze', '#/destinations/new')), foot.node];
      }
      const tiles = h('div', { class: 'tiles' });
      const estimates = new Map();
      const estimateOf = (destination) => estimateNote(destination.id, {
        type: kindName === 'audience' ? 'AUDIENCE' : 'COMPUTED_TRAIT', query: state.query, audienceType: state.level,
        options: { includeHistoricalData: state.options.includeHistoricalData, filterByExternalIds: state.options.filterByExternalIds },
      });
      const choose = (destination) => {
        const settings = defaultSettings();
        state.chosen.set(destination.id, settings);
        const estimate = estimateOf(destination);
        estimates.set(destination.id, estimate);
        estimate.ask(settingsFor(kindName, settings));
      };
      const draw = () => replace(tiles, destinations.map((destination) => {
        const settings = state.chosen.get(destination.id);
        return h('div', { class: 'tile-box' },
          h('button', {
            type: 'button', class: `tile ${settings ? 'chosen' : ''}`, 'aria-pressed': String(Boolean(settings)),
            onclick: () => {
              if (settings) state.chosen.delete(destination.id);
              else choose(destination);
              draw();
            },
          }, h('strong', null, h('span', { class: 'mark' }, icon('check')), destination.name),
          h('span', { class: 'quiet' }, settings ? summary(kindName, settings) : `${destination.kindName} · press to choose`),
          h('span', null, status(destination.state.status))),
          settings && estimates.get(destination.id)?.node,
          settings && h('button', {
            type: 'button', class: 'icon-button', title: 'Connection settings', 'aria-label': `Connection settings of ${destination.name}`,
            onclick: () => {
              const estimate = estimateOf(destination);
              const ask = debounce(400, () => estimate.ask(settingsFor(kindName, settings)));
              estimate.ask(settingsFor(kindName, settings));
              sideSheet(`${destination.name}: connection settings`, [
                connectionSettings(kindName, settings, keyOf(state.name), ask, { isNew: true }), estimate.node,
                h('p', { class: 'quiet' }, 'Changes count at once; close when done.')], { onclose: draw });
            },
          }, icon('gear')));
      }));
      draw();
      return [
        h('div', null, h('h2', null, `Pick the destinations you want to sync this ${kind.one} to`),
          h('p', { class: 'quiet' }, 'Optional. The gear opens the connection settings: identify makes custom attributes, track makes custom events.')),
        tiles, foot.node,
      ];
    }

    function reviewStep() {
      const key = h('span', { class: 'chip' }, keyOf(state.name) || 'key');
      const create = button(kindName === 'audience' ? 'Create Audience' : 'Create Computed Trait', doing(save),
        { kind: 'primary', disabled: state.name.trim() === '' });
      const about = (name) => state.errors?.about(name);
      const name = h('input', {
        type: 'text', value: state.name, maxlength: 255, required: true, autofocus: true,
        oninput: (event) => {
          state.name = event.target.value;
          key.textContent = keyOf(state.name) || 'key';
          create.disabled = state.name.trim() === '';
        },
      });
      const editor = definitionEditor({ kindName, kind, state, signal: context.signal });
      const anonymous = state.options.filterByExternalIds.includes('anonymous_id');
      const days = h('input', {
        type: 'number', min: 1, step: 1, placeholder: 'all', value: state.options.backfillEventDataDays ?? '',
        oninput: (event) => {
          const parsed = Number.parseInt(event.target.value, 10);
          if (parsed > 0) state.options.backfillEventDataDays = parsed;
          else delete state.options.backfillEventDataDays;
          editor.refreshPreview();
        },
      });
      const lookback = field('Days of event history', days, { optional: true, hint: 'Empty: everything there is.' });
      lookback.hidden = !state.options.includeHistoricalData;
      editor.refreshPreview();
      return h('div', { class: 'columns-2' },
        h('div', { class: 'stack' },
          card(null, h('div', { class: 'stack' },
            field(kindName === 'audience' ? 'Audience name' : 'Computed trait name', name, { error: about('name') ?? about('key') }),
            h('p', null, `${kindName === 'audience' ? 'Audience' : 'Trait'} key: `, key,
              h('span', { class: 'sub' }, 'The attribute’s name in Braze. It never changes, also when the name does.')),
            field('Description', h('textarea', {
              rows: 2, value: state.description, oninput: (event) => { state.description = event.target.value; },
            }), { optional: true }))),
          card('Definition', [state.check?.realTime?.type === 'REALTIME' && h('p', null, realtimeMark(state.check.realTime.explanation)),
            h('code', { class: 'query-text' }, state.check?.query ?? state.query)]),
          card('Data', h('div', { class: 'stack' },
            checkbox('Historical Backfill', state.options.includeHistoricalData, (on) => {
              state.options.includeHistoricalData = on;
              lookback.hidden = !on;
              if (!on) {
                delete state.options.backfillEventDataDays;
                days.value = '';
              }
              editor.refreshPreview();
            }, { hint: 'All events that are stored set the first value. Without it only events from now on count; traits always count.' }),
            lookback,
            checkbox('Include Anonymous Users', anonymous, (on) => {
              state.options.filterByExternalIds = on ? [...identified, 'anonymous_id'] : identified;
              editor.refreshPreview();
            }, { hint: 'Also people of whom only an anonymous id is known. Braze can be told only about identified ones.' }))),
          card('Destinations', state.chosen.size === 0
            ? h('p', { class: 'quiet' }, 'None: the result stays on the profiles. Connect one at any time.')
            : h('ul', { class: 'sample' }, [...state.chosen].map(([id, settings]) => h('li', null,
              h('strong', null, destinations.find((item) => item.id === id)?.name ?? id), h('span', { class: 'quiet' }, summary(kindName, settings)))))),
          state.errors && !about('name') && !about('key') && notice('bad', 'Not created.', state.errors.message),
          h('div', { class: 'actions' }, button('Previous Step', () => go(2)), create)),
        editor.preview);
    }

    async function save() {
      state.errors = null;
      let created;
      try {
        const body = { name: state.name.trim(), description: state.description.trim(), enabled: true, options: state.options };
        if (kindName === 'audience') Object.assign(body, { audienceType: state.level, definition: { query: state.query } });
        else body.definition = { query: state.query, type: state.level };
        const data = await api.post(kind.path, body);
        created = data[kind.single];
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        state.errors = error;
        go(3);
        return;
      }
      for (const [id, settings] of state.chosen) {
        try {
          await api.post(`${kind.path}/${created.id}/destination-connections`, {
            destination: { id, type: 'destination' }, connectionSettings: settingsFor(kindName, settings),
          });
        } catch (error) {
          toast(`Created, but not connected to ${id}: ${error.message}`);
        }
      }
      location.hash = `#/${kind.route}/${created.id}`;
    }

    go(0);
    return node;
  };
}

/** The event names of the other kind are no matter of this one. */
export function settingsFor(kindName, settings) {
  const { enterEvent, exitEvent, computeEvent, ...rest } = settings;
  return kindName === 'audience' ? { ...rest, enterEvent, exitEvent } : { ...rest, computeEvent };
}

/** The connection settings in words. */
export function summary(kindName, settings) {
  if (!settings.enabled) return 'paused: nothing is sent';
  const events = kindName === 'audience' ? `events ${settings.enterEvent} / ${settings.exitEvent}` : `event ${settings.computeEvent}`;
  const parts = [settings.sendIdentify && 'custom attribute', settings.sendTrack && events].filter(Boolean);
  return parts.length > 0 ? `Sends ${parts.join(' and ')}` : 'sends nothing';
}
