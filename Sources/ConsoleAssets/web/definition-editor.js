// Configuring a definition: the builder and the text of one and the same query, what the server says about it, and a
// preview of who that is.

import { api } from './api.js';
import { audienceBuilder, traitBuilder } from './builder.js';
import { debounce, h, replace } from './dom.js';
import { sentence } from './format.js';
import { fromAPI, missing, toAPI } from './builder-model.js';
import { button, notice } from './widgets.js';
import { previewPane } from './preview-pane.js';
import { realtimeMark } from './computation-parts.js';

/**
 * `kind` is one of `kinds`, `state` holds `{level, model, query, options}` and is changed in place; `changed` is called
 * with the check's answer. Returns nodes for the page to place, and `valid()`.
 */
export function definitionEditor({ kindName, kind, state, self, changed = () => {}, signal }) {
  const mark = h('span', { hidden: true });
  const errors = h('div', { class: 'query-errors', 'aria-live': 'polite' });
  const advice = h('div', { class: 'query-errors' });
  const builderBox = h('div', { class: 'stack' });
  const textarea = h('textarea', {
    class: 'query', spellcheck: 'false', autocapitalize: 'off', 'aria-label': 'Definition in the query language',
    value: state.query, oninput: () => typed(),
  });
  const textBox = h('div', { class: 'stack', hidden: true }, textarea, h('p', { class: 'hint' },
    'The same definition in the query language. Both views change the same query.'));
  const builderTab = tab('Builder', () => open('builder'));
  const textTab = tab('Query', () => open('text'));
  const preview = previewPane(kind, state, signal);
  let answer = null;
  let view = state.model ? 'builder' : 'text';
  let turn = 0;

  function tab(name, action) {
    return h('button', { type: 'button', role: 'tab', onclick: action }, name);
  }

  function open(next) {
    view = next;
    builderTab.setAttribute('aria-selected', String(view === 'builder'));
    textTab.setAttribute('aria-selected', String(view === 'text'));
    builderBox.hidden = view !== 'builder';
    textBox.hidden = view !== 'text';
    if (view === 'text') {
      // The canonical print is easier to read than what the builder put together.
      textarea.value = answer?.valid ? answer.query : state.query;
      state.query = textarea.value;
    } else {
      drawBuilder();
    }
  }

  function drawBuilder() {
    if (!state.model) {
      replace(builderBox, notice('info', 'This definition is more than the builder can show.',
        `${answer?.builderReason ?? ''} Edit it as text.`.trim(), [button('Open Query', () => open('text'))]));
      return;
    }
    replace(builderBox, kindName === 'audience'
      ? audienceBuilder(state.model, { level: state.level, self, changed: built })
      : traitBuilder(state.model, { changed: built }));
  }

  function built() {
    const lack = missing(kindName, state.model);
    if (lack) {
      turn += 1;
      answer = null;
      replace(errors, h('p', { class: 'quiet' }, lack));
      replace(advice);
      preview.clear('The preview appears when the definition is complete.');
      changed(null);
      return;
    }
    check();
  }

  function typed() {
    state.query = textarea.value;
    state.model = null;
    check();
  }

  const check = debounce(200, async () => {
    turn += 1;
    const mine = turn;
    const isText = !state.model;
    let result;
    try {
      result = await api.post('/spaces/spa_muster/queries/check', {
        ...(state.model ? { builder: toAPI(kindName, state.model) } : { query: state.query }),
        type: kindName === 'audience' ? 'AUDIENCE' : 'COMPUTED_TRAIT', audienceType: state.level,
        ...(self ? { key: self } : {}),
      }, signal);
    } catch (error) {
      if (error.name === 'AbortError' || mine !== turn) return;
      result = { check: { valid: false, errors: [{ message: error.message }] } };
    }
    if (mine !== turn) return;
    answer = result.check;
    if (answer.valid) {
      if (isText) state.model = fromAPI(kindName, answer.builder);
      else state.query = answer.query;
    }
    show();
    if (isText && view === 'builder') drawBuilder();
    changed(answer);
    if (answer.valid) preview.soon();
    else preview.clear('The preview appears when the definition is right.');
  });

  function show() {
    replace(errors, answer.errors.map(errorNode));
    replace(advice, (answer.hints ?? []).map(hintNode));
    const explanation = answer.realTime?.explanation;
    mark.hidden = !answer.valid || answer.realTime?.type !== 'REALTIME';
    replace(mark, realtimeMark(explanation));
    if (explanation && answer.valid) advice.append(h('p', { class: 'quiet' }, explanation));
  }

  const node = h('div', { class: 'stack' },
    h('div', { class: 'tabs', role: 'tablist' }, builderTab, textTab), builderBox, textBox, errors, advice);
  open(view);
  if (view === 'text' && state.query) check();
  return {
    node, mark, preview: preview.node, refreshPreview: () => preview.soon(),
    valid: () => answer?.valid === true,
    answer: () => answer,
  };
}

function hintNode(hint) {
  return notice('info', null, [hint.message, hint.suggestion].filter(Boolean).map(sentence).join(' '));
}

/** An error with its place underneath (design §3: line, column, what was expected, a suggestion). */
export function errorNode(error) {
  const rows = [h('p', { class: 'error' }, error.line ? `Line ${error.line}, column ${error.column}: ${sentence(error.message)}` : sentence(error.message))];
  if (error.excerpt) {
    const [text, carets = ''] = error.excerpt.split('\n');
    rows.push(h('pre', { class: 'excerpt', tabindex: '0' }, text, '\n', h('span', { class: 'caret' }, carets)));
  }
  if (error.suggestion) rows.push(h('p', null, sentence(error.suggestion)));
  return h('div', { role: 'alert' }, rows);
}
