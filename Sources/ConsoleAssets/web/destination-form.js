// The settings of a destination: fields as its kind describes them. A secret is written, never read.

import { api, ApiError } from './api.js';
import { h, replace } from './dom.js';
import { duration } from './format.js';
import { button, doing, field, notice, select } from './widgets.js';

/** A form for a new or existing destination; `save(body)` gets `{name, settings}` with what changed. */
export function destinationForm(kind, destination, save, action) {
  const name = h('input', { type: 'text', value: destination.name, maxlength: 255 });
  const settings = {};
  const result = h('div', { class: 'stack' });
  const rows = h('div', { class: 'stack' });
  let refused = null;

  function draw() {
    replace(rows, field('Name', name, { error: refused?.about('name') }), kind.fields.map((item) => fieldRow(item)));
  }

  function fieldRow(item) {
    const given = settings[item.key] ?? destination.settings[item.key];
    const error = refused?.about(`settings.${item.key}`);
    if (item.type === 'secret') {
      const input = h('input', {
        type: 'password', autocomplete: 'off', value: settings[item.key] ?? '',
        placeholder: given?.set ? `stored, ends in ${given.ending ?? '…'}: leave empty to keep it` : '',
        oninput: (event) => { settings[item.key] = event.target.value; },
      });
      return field(item.label, input, { hint: item.hint, error, optional: !item.required });
    }
    if (item.type === 'choice') return choiceRow(item, given ?? item.options[0]?.value, error);
    const input = h('input', { type: 'text', value: given ?? '', oninput: (event) => { settings[item.key] = event.target.value.trim(); } });
    return field(item.label, input, { hint: item.hint, error, optional: !item.required });
  }

  /** A list, and an own address beside it for anything that is not in it. */
  function choiceRow(item, given, error) {
    const known = item.options.some((option) => option.value === given);
    settings[item.key] = given;
    const own = h('input', {
      type: 'url', value: known ? '' : given ?? '', placeholder: 'http://127.0.0.1:7701',
      oninput: (event) => { settings[item.key] = event.target.value.trim(); },
    });
    const ownRow = field('Address', own, { hint: 'For the sandbox, or a REST endpoint that is not in the list.' });
    ownRow.hidden = known;
    const options = [...item.options.map((option) => [option.value, option.label]), ['', 'Another address …']];
    const list = select(options, known ? given : '', (value) => {
      ownRow.hidden = value !== '';
      settings[item.key] = value === '' ? own.value.trim() : value;
    });
    return [field(item.label, list, { hint: item.hint, error }), item.custom !== false && ownRow];
  }

  const body = () => ({ name: name.value.trim(), settings: Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== '')) });
  const test = button('Test Connection', doing(async () => {
    replace(result, h('p', { class: 'quiet' }, 'Asking …'));
    const path = destination.id ? `/destinations/${destination.id}/test` : '/destinations/test';
    try {
      const { test: answer } = await api.post(path, { ...(destination.id ? {} : { kind: kind.kind }), settings: body().settings });
      replace(result, testNotice(answer));
    } catch (error) {
      replace(result, notice('bad', 'Not tested.', error.message));
    }
    result.scrollIntoView({ block: 'nearest' });
  }));
  const submit = h('button', { type: 'submit', class: 'button primary' }, action);
  draw();
  return h('form', {
    class: 'stack', onsubmit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      refused = null;
      try {
        await save(body());
      } catch (error) {
        refused = error instanceof ApiError ? error : null;
        draw();
        replace(result, notice('bad', 'Not saved.', error.message));
        result.scrollIntoView({ block: 'nearest' });
      }
      submit.disabled = false;
    },
  }, rows, result, h('div', { class: 'actions' }, test, submit));
}

export function testNotice(answer) {
  const took = answer.elapsedMilliseconds !== undefined ? ` (${duration(answer.elapsedMilliseconds)})` : '';
  return answer.ok
    ? notice('good', 'The connection works.', `${answer.message ?? ''}${took}`)
    : notice('bad', answer.message, answer.remedy);
}
