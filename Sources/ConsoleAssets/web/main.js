// The frame around the pages: navigation, addresses, and what is always in view.

import { api } from './api.js';
import { h, inUse, replace } from './dom.js';
import { setServerTime } from './format.js';
import { icon } from './icons.js';
import { failure, loading, notice } from './widgets.js';
import { overviewPage } from './pages/overview.js';
import { computationsPage } from './pages/computations.js';
import { newComputationPage } from './pages/new-computation.js';
import { computationPage } from './pages/computation.js';
import { whyPage } from './pages/why.js';
import { profilesPage } from './pages/profiles.js';
import { profilePage } from './pages/profile.js';
import { sourcesPage } from './pages/sources.js';
import { sourcePage } from './pages/source.js';
import { destinationsPage } from './pages/destinations.js';
import { destinationPage } from './pages/destination.js';
import { debuggerPage } from './pages/debugger.js';
import { settingsPage } from './pages/settings.js';

// Addresses, the more particular first. `:name` matches one segment.
const routes = [
  ['overview', overviewPage],
  ['audiences', computationsPage('audience')],
  ['audiences/new', newComputationPage('audience')],
  ['audiences/:id', computationPage('audience')],
  ['audiences/:id/:tab', computationPage('audience')],
  ['audiences/:id/why/:profile', whyPage('audience')],
  ['traits', computationsPage('trait')],
  ['traits/new', newComputationPage('trait')],
  ['traits/:id', computationPage('trait')],
  ['traits/:id/:tab', computationPage('trait')],
  ['traits/:id/why/:profile', whyPage('trait')],
  ['profiles', profilesPage],
  ['profiles/:id', profilePage],
  ['profiles/:id/:tab', profilePage],
  ['sources', sourcesPage],
  ['sources/:id', sourcePage],
  ['sources/:id/:tab', sourcePage],
  ['destinations', destinationsPage],
  ['destinations/new', destinationsPage],
  ['destinations/:id', destinationPage],
  ['destinations/:id/:tab', destinationPage],
  ['debugger', debuggerPage],
  ['settings', settingsPage],
];

const navigation = [
  ['overview', 'Overview'], ['audiences', 'Audiences'], ['traits', 'Computed Traits'], ['profiles', 'Profiles'],
  ['sources', 'Sources'], ['destinations', 'Destinations'], ['debugger', 'Debugger'],
  ['settings', 'Settings'],
];

const main = h('main', { id: 'main', tabindex: '-1' });
const banner = h('div', { class: 'banner' });
const clock = h('p', { class: 'test-clock', hidden: true });
const links = navigation.map(([path, name]) => h('a', { href: `#/${path}` }, icon(path), name));
const menuButton = h('button', {
  type: 'button', class: 'menu icon-button', 'aria-label': 'Menu', 'aria-expanded': 'false',
  onclick: () => openMenu(menuButton.getAttribute('aria-expanded') !== 'true'),
}, icon('menu'));
const sidebar = h('div', { class: 'sidebar' },
  h('div', { class: 'brand' }, h('img', { src: '/assets/favicon.svg', alt: '', width: 26, height: 26 }),
    h('a', { href: '#/overview' }, 'Muster'), menuButton),
  h('nav', { 'aria-label': 'Main' }, links), clock);

replace(document.getElementById('app'), sidebar, h('div', { class: 'content' }, banner, main));

function openMenu(open) {
  sidebar.classList.toggle('open', open);
  menuButton.setAttribute('aria-expanded', String(open));
}

function match(path) {
  const segments = path.split('/');
  for (const [pattern, page] of routes) {
    const parts = pattern.split('/');
    if (parts.length !== segments.length) continue;
    const parameters = {};
    const fits = parts.every((part, index) => {
      if (!part.startsWith(':')) return part === segments[index];
      parameters[part.slice(1)] = segments[index];
      return true;
    });
    if (fits) return { page, parameters };
  }
  return null;
}

let leave = () => {};

async function open() {
  leave();
  openMenu(false);
  watch();
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  let segments;
  try {
    segments = (path || 'overview').split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    segments = ['overview'];
  }
  const found = match(segments.join('/')) ?? matchEncoded(segments);
  for (const link of links) {
    const current = link.getAttribute('href') === `#/${segments[0]}`;
    if (current) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }

  const controller = new AbortController();
  const timers = [];
  leave = () => {
    controller.abort();
    timers.forEach(clearInterval);
  };
  const context = {
    parameters: found?.parameters ?? {},
    query: new URLSearchParams(search),
    signal: controller.signal,
    /** Repeats `action` while the page is open and in view. Failures are the banner's business. */
    every(milliseconds, action) {
      let running = false;
      timers.push(setInterval(async () => {
        if (running || document.hidden) return;
        running = true;
        try {
          await action();
        } catch { /* the next turn tries again; `watch` tells when the server is gone */ } finally {
          running = false;
        }
      }, milliseconds));
    },
  };
  if (!found) {
    show('Not found', notice('warn', 'There is no such page.', 'Choose one on the left.'));
    return;
  }
  const slow = setTimeout(() => replace(main, loading()), 150);
  try {
    const page = await found.page(context);
    if (controller.signal.aborted) return;
    show(null, page);
  } catch (error) {
    if (error.name === 'AbortError' || controller.signal.aborted) return;
    show('Not available', failure(error));
  } finally {
    clearTimeout(slow);
  }
}

/** An id may itself hold an encoded slash. */
function matchEncoded(segments) {
  return segments.length >= 2 ? match(segments.slice(0, 2).map(encodeURIComponent).join('/')) : null;
}

function show(title, page) {
  const focused = document.activeElement;
  replace(main, title && h('h1', { tabindex: '-1' }, title), page);
  const heading = main.querySelector('h1');
  document.title = heading ? `${heading.textContent} · Muster` : 'Muster';
  window.scrollTo(0, 0);
  const autofocus = main.querySelector('[autofocus]');
  if (autofocus) autofocus.focus();
  else if (!focused || focused === document.body || !document.contains(focused)) heading?.focus();
}

/** What is true on every page: the server's clock, its notices, and whether it answers. */
async function watch() {
  if (document.hidden) return;
  try {
    const { status } = await api.get('/status');
    setServerTime(status.now);
    clock.hidden = !status.testClock;
    clock.textContent = status.testClock ? `Test clock: ${status.now.slice(0, 16).replace('T', ' ')} UTC` : '';
    // A page about the thing itself says it in its own words.
    const elsewhere = (status.notices ?? []).filter((item) => !item.href || !location.hash.startsWith(item.href.replace(/\/settings$/, '')));
    if (!inUse(banner)) replace(banner, elsewhere.map((item) =>
      notice(item.level, item.title, item.message, item.href ? [h('a', { class: 'button plain', href: item.href }, 'Show')] : [])));
  } catch (error) {
    replace(banner, notice('bad', 'No connection to the server.', `${error.message} Trying again every few seconds.`));
  }
}

window.addEventListener('hashchange', open);
document.addEventListener('visibilitychange', watch);
await watch();
await open();
setInterval(watch, 4000);
