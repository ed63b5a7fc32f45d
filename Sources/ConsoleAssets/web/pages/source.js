// One source: how to send to it, its settings, and what arrives (spec: collection §2.12, engage §10.1).

import { api } from '../api.js';
import { callFeed } from '../call-feed.js';
import { h } from '../dom.js';
import { number, time } from '../format.js';
import {
  button, card, checkbox, confirm, copyable, doing, field, figure, pageHead, status, tabs, toast,
} from '../computation-parts.js';

export async function sourcePage(context) {
  const path = `/sources/${encodeURIComponent(context.parameters.id)}`;
  const { source } = await api.get(path, context.signal);
  const base = `#/sources/${source.id}`;
  const entries = [['Overview', '', overviewTab], ['Debugger', '/debugger', debuggerTab], ['Settings', '/settings', settingsTab]];
  const current = entries.find(([, suffix]) => suffix === `/${context.parameters.tab}`) ?? entries[0];
  return [
    pageHead(source.name, { trail: [['Sources', '#/sources']], actions: [status(source.enabled ? 'Connected' : 'Disabled')] }),
    tabs(entries.map(([name, suffix]) => [name, base + suffix]), base + current[1]),
    current[2](source, context, path),
  ];
}

function overviewTab(source) {
  const host = location.origin;
  const curl = `curl ${host}/v1/track \\
  -u '${source.writeKey}:' \\
  -H 'Content-Type: application/json' \\
  -d '{"userId": "u_1001", "event": "Order Completed", "properties": {"revenue": 42.5}}'`;
  const python = `# pip install segment-analytics-python
import segment.analytics as analytics

analytics.write_key = '${source.writeKey}'
analytics.host = '${host}'

analytics.identify('u_1001', {'email': 'kim@example.org', 'plan': 'pro'})
analytics.track('u_1001', 'Order Completed', {'revenue': 42.5})
analytics.flush()`;
  return h('div', { class: 'stack' },
    card(null, h('div', { class: 'figures' },
      figure('Write key', copyable(source.writeKey)), figure('Accepted', number(source.counters.accepted), 'calls'),
      figure('Rejected', number(source.counters.rejected), 'calls, with the reason in the debugger'),
      figure('Last call', source.lastSeenAt ? time(source.lastSeenAt) : 'none yet'))),
    card('Send a first event', [h('p', { class: 'quiet' }, 'With curl:'), copyable(curl, { block: true })]),
    card('From Python', [h('p', { class: 'quiet' }, 'Every Segment SDK works: change only the host (and the CDN host in the browser).'),
      copyable(python, { block: true })]));
}

function debuggerTab(source, context) {
  return card('Debugger', callFeed([source], context), { className: 'flush' });
}

function settingsTab(source, context, path) {
  let enabled = source.enabled;
  const name = h('input', { type: 'text', value: source.name, maxlength: 255 });
  return h('div', { class: 'stack' },
    card(null, h('div', { class: 'stack' }, field('Name', name),
      checkbox('Enabled', enabled, (on) => { enabled = on; }, { hint: 'Off: calls with this write key are answered but not stored.' }),
      h('div', { class: 'actions' }, button('Save', doing(async () => {
        await api.patch(path, { name: name.value.trim(), enabled });
        toast('Saved.');
        window.dispatchEvent(new HashChangeEvent('hashchange'));
      }), { kind: 'primary' })))),
    card('Delete', [h('p', { class: 'quiet' }, 'Its events stay. Calls with its write key are no longer stored.'),
      h('div', { class: 'actions', style: { 'margin-top': '.75rem' } }, button('Delete Source…', doing(async () => {
        const sure = await confirm({
          title: `Delete “${source.name}”?`, text: 'Clients that use its write key are no longer heard. This can’t be undone.', action: 'Delete',
          phrase: source.name,
        });
        if (!sure) return;
        await api.remove(path);
        location.hash = '#/sources';
      }), { kind: 'danger', name: 'trash' }))]));
}
