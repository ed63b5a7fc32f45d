// Building pages from nodes. Event data is hostile, so nothing here or elsewhere parses text as HTML: strings become text
// nodes, and the Content-Security-Policy forbids the rest.

const svgNamespace = 'http://www.w3.org/2000/svg';

/** An element: `h('p', {class: 'note'}, 'text', node, [more], null)`. `on…` properties are listeners. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === 'value' || name === 'checked' || name === 'disabled' || name === 'selected') element[name] = value;
    else if (name === 'href') element.setAttribute('href', safeLink(value));
    else element.setAttribute(name, value === true ? '' : value);
  }
  append(element, children);
  return element;
}

/** Links lead inside the console or to http(s), whatever data they were made from. */
function safeLink(target) {
  return /^(#|\/(?!\/)|https?:\/\/)/.test(target) ? target : '#';
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replaces everything inside an element. */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Whether somebody is at work inside an element: has the focus or marks text there. Then it must not be drawn anew. */
export function inUse(element) {
  const selection = document.getSelection();
  return element.contains(document.activeElement)
    || (selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode));
}

let lastId = 0;

/** An id for `for`, `list` and `aria-…`. */
export function freshId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** Calls `action` once things have been quiet for `milliseconds`. */
export function debounce(milliseconds, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}
