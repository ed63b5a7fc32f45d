// Sources connected straight to a destination: a list, and a sheet with the presets of the destination's kind.

import { api } from './api.js';
import { h, replace } from './dom.js';
import { button, card, checkbox, doing, field, notice, select, sideSheet, status, table, toast } from './widgets.js';

/** The card on a destination's page. */
export async function sourceConnections(destination, context) {
  const body = h('div', { class: 'stack' });
  const node = card('Connected sources', body, { className: 'flush' });

  async function draw() {
    const [{ connections }, { sources }, { catalog }] = await Promise.all([
      api.get(`/destinations/${encodeURIComponent(destination.id)}/source-connections`, context.signal),
      api.get('/sources?count=200', context.signal), api.get('/destinations/catalog', context.signal),
    ]);
    const presets = catalog.find((one) => one.kind === destination.kind)?.presets ?? [];
    const free = sources.filter((source) => !connections.some((one) => one.sourceId === source.id));
    const edit = (source, connection) => openConnection(destination, source, connection, presets, draw);
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
  return on.length > 0 ? on.join(', ') : 'nothing';
}

function openConnection(destination, source, connection, presets, changed) {
  const chosen = Object.fromEntries(presets.map((preset) =>
    [preset.name, { ...(connection?.presets[preset.name] ?? { enabled: preset.isOnAtFirst }) }]));
  let enabled = connection?.enabled ?? true;
  const result = h('div');
  const save = button(connection ? 'Save' : `Connect ${source.name}`, doing(async () => {
    const body = { enabled, presets: chosen };
    try {
      if (connection) await api.patch(pathOf(source.id, destination), body);
      else await api.post(`/sources/${encodeURIComponent(source.id)}/destination-connections`, { destinationId: destination.id, ...body });
    } catch (error) {
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
    checkbox('Connect to destination', enabled, (on) => { enabled = on; }, { hint: 'Off keeps the settings and passes nothing on.' }),
    result, h('div', { class: 'actions' }, save)));
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

/** `a = b` per line; lines without a sign are left out. `null` where nothing is left, which brings the default back. */
function tableOf(text) {
  const entries = text.split('\n').map((line) => {
    const place = line.indexOf('=');
    return place > 0 ? [line.slice(0, place).trim(), line.slice(place + 1).trim()] : ['', ''];
  }).filter(([from, to]) => from !== '' && to !== '');
  return entries.length > 0 ? Object.fromEntries(entries) : null;
}
