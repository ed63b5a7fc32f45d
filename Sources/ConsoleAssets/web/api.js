// The HTTP API, from the console's side. The console uses nothing that a script could not use (docs/api.md).

export const space = '/spaces/spa_muster';

/** What the server refused, in its words. `errors` holds `{type, message, field, status}`. */
export class ApiError extends Error {
  constructor(status, errors) {
    super(errors.map((error) => error.message).join(' ') || `The server answered ${status}.`);
    this.status = status;
    this.errors = errors;
  }

  /** The message about one field, if there is one. */
  about(field) {
    return this.errors.find((error) => error.field === field)?.message;
  }
}

async function call(method, path, body, signal) {
  const request = { method, signal, headers: { Accept: 'application/json' }, cache: 'no-store' };
  if (method !== 'GET') {
    request.headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, [{ message: 'The server does not answer. Is Muster running?' }]);
  }
  let answer;
  try {
    answer = await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(response.status, [{ message: `The server answered ${response.status} without JSON.` }]);
  }
  if (!response.ok) throw new ApiError(response.status, answer.errors ?? []);
  return answer.data;
}

export const api = {
  get: (path, signal) => call('GET', path, undefined, signal),
  post: (path, body, signal) => call('POST', path, body, signal),
  put: (path, body) => call('PUT', path, body),
  patch: (path, body) => call('PATCH', path, body),
  remove: (path) => call('DELETE', path),
};

/** `?a=1&b=2` without the empty ones. */
export function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, value);
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

/** One segment of a path. */
export const segment = encodeURIComponent;
