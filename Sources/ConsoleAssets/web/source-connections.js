// Sources connected straight to a destination: a list, and a sheet with the presets of the destination's kind.

import { api } from './api.js';
import { freshId, h, replace } from './dom.js';
import * as schema from './schema.js';
import { badge, button, card, checkbox, doing, field, notice, select, sideSheet, status, table, toast } from './widgets.js';

/** The card on a destination's page. */
export async function sourceConnections(destination, context) {
  const body = h('div', { class: 'stack' });
  const node = card('Connected sources', body, { className: 'flush' });

  async function draw() {
    const [{ connections }, { sources }, { catalog }] = await Promise.all([
      api.get(`/destinations/${encodeURIComponent(destination.id)}/source-connections`, context.signal),
      api.get('/sources?count=200', context.signal), api.get('/destinations/catalog', context.signal),
    ]);
    const kind = catalog.find((one) => one.kind === destination.kind);
    const presets = kind?.presets ?? [];
    const triggers = kind?.triggers ?? [];
    const free = sources.filter((source) => !connections.some((one) => one.sourceId === source.id));
    const edit = (source, connection) => openConnection(destination, source, connection, { presets, triggers }, draw);
    const add = free.map((source) => button(`Connect ${source.name}`, () => edit(source, null), { name: 'plus' }));
    replace(body, connections.length === 0
      ? h('div', { class: 'empty' },
        h('p', null, `No source sends its calls straight to ${destination.name}: it hears of audiences and traits only. Connected, it also gets the calls themselves, from then on.`),
        h('div', { class: 'actions' }, add))
      : [table([
        { name: 'Source', cell: (row) => row.sourceName },
        { name: 'Passes on', cell: (row) => presetWords(row, presets) },
        { name: 'Status', tone: 'tight', cell: (row) => status(row.status) },
        {
          name: '', tone: 'tight', cell: (row) => h('div', { class: 'row' },
            button('Settings', () => edit({ id: row.sourceId, name: row.sourceName }, row), { name: 'gear' }),
            button('Remove', doing(async () => {
              await api.remove(pathOf(row.sourceId, destination));
              toast(`${row.sourceName} is no longer passed on.`);
              await draw();
            }), { kind: 'danger' })),
        },
      ], connections, { href: (row) => `#/sources/${row.sourceId}`, label: 'Connected sources' }),
      add.length > 0 && h('div', { class: 'actions padded' }, add)]);
  }

  await draw();
  return node;
}

function pathOf(sourceId, destination) {
  return `/sources/${encodeURIComponent(sourceId)}/destination-connections/${encodeURIComponent(destination.id)}`;
}

function presetWords(connection, presets) {
  const on = presets.filter((preset) => connection.presets[preset.name]?.enabled).map((preset) => preset.title);
  const firing = connection.triggers.filter((trigger) => trigger.enabled).length;
  if (firing > 0) on.push(firing === 1 ? '1 message trigger' : `${firing} message triggers`);
  return on.length > 0 ? on.join(', ') : 'nothing';
}

async function openConnection(destination, source, connection, { presets, triggers }, changed) {
  const names = triggers.length === 0 ? [] : (await schema.events()).map((one) => one.name);
  const chosen = Object.fromEntries(presets.map((preset) =>
    [preset.name, { ...(connection?.presets[preset.name] ?? { enabled: preset.isOnAtFirst }) }]));
  let enabled = connection?.enabled ?? true;
  const firing = triggerList(triggers, connection?.triggers ?? [], names);
  const result = h('div');
  const save = button(connection ? 'Save' : `Connect ${source.name}`, doing(async () => {
    try {
      const body = { enabled, presets: chosen, ...(triggers.length > 0 && { triggers: firing.value() }) };
      if (connection) await api.patch(pathOf(source.id, destination), body);
      else await api.post(`/sources/${encodeURIComponent(source.id)}/destination-connections`, { destinationId: destination.id, ...body });
    } catch (error) {
      firing.mark(error);
      replace(result, notice('bad', 'Not saved.', error.message));
      result.scrollIntoView({ block: 'nearest' });
      return;
    }
    close();
    toast(`What ${source.name} sends from now on is passed on to ${destination.name}.`);
    await changed();
  }), { kind: 'primary' });
  const close = sideSheet(`${source.name} → ${destination.name}`, h('div', { class: 'stack' },
    h('p', { class: 'quiet' }, 'Which calls are passed on, and as what. What was sent before is not sent again.'),
    presets.map((preset) => presetRow(preset, chosen[preset.name])),
    triggers.length > 0 && firing.node,
    checkbox('Connect to destination', enabled, (on) => { enabled = on; }, { hint: 'Off keeps the settings and passes nothing on.' }),
    result, h('div', { class: 'actions' }, save)));
}

/** Messages that events send: any number, each with its own events and condition. */
function triggerList(kinds, given, names) {
  const list = h('div', { class: 'stack' });
  const entries = [];
  const known = freshId('events');

  function draw() {
    replace(list, entries.length === 0
      ? h('p', { class: 'quiet' }, 'No event sends a message yet. A campaign or Canvas that is API-triggered in Braze waits for one.')
      : entries.map((entry) => entry.node));
  }
  function add(kind, options, isOpen) {
    const entry = triggerRow(kind, options, known, isOpen, () => {
      entries.splice(entries.indexOf(entry), 1);
      draw();
    });
    entries.push(entry);
    draw();
    return entry;
  }
  for (const options of given) {
    const kind = kinds.find((one) => one.name === options.kind);
    if (kind) add(kind, { ...options }, false);
  }
  draw();
  return {
    node: h('section', { class: 'stack' }, h('h3', null, 'Messages that events send'),
      h('p', { class: 'quiet' }, 'Braze can’t tell a repeated request: when an answer is lost the message may go out twice, and the delivery says so.'),
      h('datalist', { id: known }, names.map((name) => h('option', { value: name }))), list,
      h('div', { class: 'actions' }, kinds.map((kind) => button(kind.title, () => {
        add(kind, { kind: kind.name, enabled: true, events: [], to: 'user' }, true).node.querySelector('input[type=text]').focus();
      }, { name: 'plus' })))),
    value: () => entries.map((entry) => entry.value()),
    mark(error) {
      const place = /^triggers\[(\d+)\]/.exec(error.errors?.[0]?.field ?? '');
      entries.forEach((entry, index) => entry.mark(place !== null && Number(place[1]) === index ? error.message : null));
    },
  };
}

function triggerRow(kind, options, names, isOpen, remove) {
  const problem = h('p', { class: 'error', role: 'alert', hidden: true });
  const summary = h('summary');
  const describe = () => replace(summary, options.name || kind.title, ' ', h('span', { class: 'quiet' },
    options.events.length > 0 ? `on ${options.events.join(' or ')}` : 'on every track call', options.condition ? ' with a condition' : ''),
  options.enabled ? null : [' ', badge('off')]);
  const text = (key, label, hint, properties = {}) => field(label, h('input', {
    type: 'text', value: options[key] ?? '',
    oninput: (event) => { options[key] = event.target.value.trim() || null; describe(); }, ...properties,
  }), { hint, optional: !properties.required });
  const events = h('textarea', {
    rows: Math.max(1, options.events.length), value: options.events.join('\n'), placeholder: 'Order Completed',
    oninput: (event) => {
      options.events = event.target.value.split('\n').map((line) => line.trim()).filter((line) => line !== '');
      describe();
    },
  });
  const suggest = h('input', {
    type: 'text', list: names, placeholder: 'Choose an event …', 'aria-label': 'Add an event that was seen',
    onchange: (event) => {
      const name = event.target.value.trim();
      if (name !== '' && !options.events.includes(name)) events.value = [...options.events, name].join('\n');
      event.target.value = '';
      events.dispatchEvent(new Event('input'));
    },
  });
  const [first, ...others] = kind.settings;
  const row = (setting) => setting.isRequired
    ? text(setting.key, setting.label, setting.hint, { required: true }) : settingRow(setting, options);
  const details = h('details', { class: 'nested', open: isOpen }, summary, h('div', { class: 'stack' },
    text('name', 'Name', 'How the event tester and this list call it.', { placeholder: kind.title }),
    row(first),
    field('Events', events, { hint: 'One name per line; empty: every track call.', optional: true }), suggest,
    text('condition', 'Only if', 'A condition over the event: property(\'total\') >= 100 AND property(\'country\').one_of(\'DE\', \'AT\')', { class: 'code' }),
    others.map(row),
    checkbox('Switched on', options.enabled, (on) => { options.enabled = on; describe(); }),
    problem, h('div', { class: 'actions' }, button('Remove this trigger', remove, { kind: 'danger' }))));
  describe();
  return {
    node: details,
    value: () => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== undefined && value !== '')),
    mark(message) {
      problem.hidden = message === null;
      replace(problem, message ?? '');
      if (message !== null) details.open = true;
    },
  };
}

function presetRow(preset, options) {
  const settings = h('details', { class: 'nested' }, h('summary', null, 'Settings'),
    h('div', { class: 'stack' }, preset.settings.map((setting) => settingRow(setting, options))));
  settings.hidden = !options.enabled || preset.settings.length === 0;
  return h('div', { class: 'stack' },
    checkbox(preset.title, options.enabled, (on) => {
      options.enabled = on;
      settings.hidden = !on || preset.settings.length === 0;
    }, { hint: preset.explanation }),
    settings);
}

function settingRow(setting, options) {
  const given = options[setting.key];
  if (setting.type === 'flag') {
    return checkbox(setting.label, given === true, (on) => { options[setting.key] = on || null; }, { hint: setting.hint });
  }
  if (setting.type === 'choice') {
    const list = select([['', 'not set'], ...setting.options.map((one) => [one, one])], given ?? setting.default ?? '', (value) => {
      options[setting.key] = value === '' ? null : value;
    });
    return field(setting.label, list, { hint: setting.hint, optional: true });
  }
  if (setting.type === 'object') {
    const area = h('textarea', {
      rows: 3, class: 'code', spellcheck: 'false', value: given ? JSON.stringify(given) : '',
      oninput: (event) => { options[setting.key] = objectOf(event.target.value); },
    });
    return field(setting.label, area, { hint: setting.hint, optional: true });
  }
  if (setting.type === 'table') {
    const lines = Object.entries(given ?? {}).map(([from, to]) => `${from} = ${to}`);
    const area = h('textarea', {
      rows: Math.max(1, lines.length), value: lines.join('\n'), placeholder: 'one per line: name = value',
      oninput: (event) => { options[setting.key] = tableOf(event.target.value); },
    });
    return field(setting.label, area, { hint: setting.hint, optional: true });
  }
  const input = h('input', {
    type: 'text', value: given ?? '', placeholder: setting.default ?? '',
    oninput: (event) => { options[setting.key] = event.target.value.trim() || null; },
  });
  return field(setting.label, input, { hint: setting.hint, optional: true });
}

/** The JSON, or the text as it is, which the server then refuses with the reason. */
function objectOf(text) {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `a = b` per line; lines without a sign are left out. `null` where nothing is left, which brings the default back. */
function tableOf(text) {
  const entries = text.split('\n').map((line) => {
    const place = line.indexOf('=');
    return place > 0 ? [line.slice(0, place).trim(), line.slice(place + 1).trim()] : ['', ''];
  }).filter(([from, to]) => from !== '' && to !== '');
  return entries.length > 0 ? Object.fromEntries(entries) : null;
}
