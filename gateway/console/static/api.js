// The control plane's API: requests signed here, AWS's errors, listings and the event stream.

import {authorize, escape, stamp} from './sigv4.js';
import {session, today} from './session.js';

// ApiError is an error answer. code is AWS's name without "Exception".
export class ApiError extends Error {
	constructor(status, code, message) {
		super(message || code || 'status ' + status);
		this.status = status;
		this.code = code;
	}
}

// path builds a request's path and encodes its values: path`/jobs/${id}`.
export const path = (parts, ...values) => parts.reduce((all, part, i) => all + part + (i < values.length ? escape(values[i]) : ''), '');

function queryOf(query) {
	return Object.entries(query || {})
		.filter(([, v]) => v !== undefined && v !== null && v !== '')
		.map(([k, v]) => escape(k) + '=' + escape(String(v)))
		.join('&');
}

// send signs a request with a session and returns the response.
async function send(who, method, path, query, body, options) {
	const key = today(who);
	if (!key) throw new ApiError(403, 'SessionEnded', 'The session has ended: its keys have expired. Sign in again.');
	const date = stamp(new Date());
	const text = body === undefined ? '' : JSON.stringify(body);
	const request = {method, path, query: queryOf(query), body: text, headers: [['host', location.host], ['x-amz-date', date]]};
	const scope = {accessKeyId: who.accessKeyId, day: date.slice(0, 8), region: who.region, service: 'iot'};
	const headers = {'x-amz-date': date, authorization: await authorize(request, key, scope)};
	if (text) headers['content-type'] = 'application/json';
	let response;
	try {
		response = await fetch(path + (request.query ? '?' + request.query : ''), {
			method, headers, body: text || undefined, cache: 'no-store', credentials: 'same-origin', redirect: 'error', ...options,
		});
	} catch (cause) {
		if (cause.name === 'AbortError') throw cause;
		throw new ApiError(0, 'Unreachable', 'The gateway does not answer. Is it running, and is this page still connected to it?');
	}
	if (!response.ok) throw await errorOf(response);
	return response;
}

async function errorOf(response) {
	let message = '';
	try {
		message = (await response.json()).message;
	} catch {
		// Not an answer of the gateway; perhaps a proxy's.
	}
	const code = (response.headers.get('x-amzn-errortype') || '').replace(/Exception$/, '').split(':')[0];
	const error = new ApiError(response.status, code, message || `The gateway answered with status ${response.status}.`);
	error.date = Date.parse(response.headers.get('date') || '');
	return error;
}

// call performs an operation and returns its answer. If the session has expired, it also calls onSessionEnd.
export async function call(method, path, query, body, options) {
	try {
		return await callAs(session(), method, path, query, body, options);
	} catch (error) {
		if (error.code === 'SessionEnded' || error.code === 'UnrecognizedClient') onSessionEnd(error);
		throw error;
	}
}

let onSessionEnd = () => {};
export const setOnSessionEnd = (f) => { onSessionEnd = f; };

export async function callAs(who, method, path, query, body, options) {
	if (!who) throw new ApiError(403, 'SessionEnded', 'You are signed out.');
	const response = await send(who, method, path, query, body, options);
	const text = await response.text();
	return text ? JSON.parse(text) : {};
}

export const get = (path, query, options) => call('GET', path, query, undefined, options);

// absent reports whether an error means that the gateway does not have the operation.
export const absent = (error) => error.code === 'UnknownOperation';

// checkHost returns the Host that the gateway sees if it differs from this page's, else ''.
async function checkHost() {
	try {
		const response = await fetch('./', {method: 'HEAD', cache: 'no-store'});
		const seen = response.headers.get('x-jobgate-host') || '';
		return seen && seen !== location.host ? seen : '';
	} catch {
		return '';
	}
}

// explain returns a message for a refused sign-in.
export async function explain(error) {
	const message = error.message || '';
	if (/Signature expired|not yet current/.test(message)) {
		const off = Math.round((Date.now() - error.date) / 60000);
		const how = Number.isFinite(off) ? `${Math.abs(off)} minutes ${off < 0 ? 'behind' : 'ahead of'}` : 'not the same as';
		return `This computer's clock is ${how} the gateway's. Signatures are valid for five minutes: set the clock, then try again.`;
	}
	switch (error.code) {
	case 'UnrecognizedClient':
		return 'The gateway does not know this access key. It was mistyped or revoked: see jobs.access_keys_file.';
	case 'AccessDenied':
		return 'This access key is for devices: it may not use the control plane. Use an operator\'s key.';
	case 'InvalidSignature': {
		const seen = await checkHost();
		if (seen) return `A proxy changes the Host header: this page asks for ${location.host}, the gateway sees ${seen}. Signatures cover the host, so configure the proxy to pass Host on unchanged.`;
		return 'The secret access key is wrong for this access key.';
	}
	}
	return message;
}

// identify asks the gateway about the session's key. It returns the session with the answer, or {region} of the gateway if
// the regions differ.
export async function identify(who) {
	try {
		const caller = await callAs(who, 'GET', '/-/caller');
		return {...who, readOnly: caller.readOnly, account: caller.account};
	} catch (error) {
		const other = /valid region, not "[^"]*": this gateway's is "([a-z0-9-]+)"/.exec(error.message);
		if (other) return {region: other[1]};
		throw error;
	}
}

// events follows the event stream until signal aborts, and calls on.event(e) and on.state(name). It reconnects with a back-off
// that doubles up to half a minute.
export async function events(query, on, signal) {
	for (let wait = 1000; !signal.aborted; wait = Math.min(wait * 2, 30000)) {
		try {
			on.state('connecting');
			const response = await send(session(), 'GET', '/-/jobs/events', query, undefined, {signal});
			on.state('live');
			wait = 500;
			await readStream(response.body, on.event);
		} catch (error) {
			if (signal.aborted) return;
			if (error.status === 403) {
				on.state('refused', error);
				onSessionEnd(error);
				return;
			}
		}
		if (signal.aborted) return;
		on.state('waiting');
		await new Promise((resolve) => {
			const timer = setTimeout(resolve, wait * (0.75 + Math.random() / 2));
			signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, {once: true});
		});
	}
}

// readStream reads server-sent events; it uses only their data lines.
export async function readStream(body, each) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';
	for (;;) {
		const {value, done} = await reader.read();
		if (done) return;
		const lines = (rest + value).split('\n');
		rest = lines.pop();
		for (const line of lines) {
			if (line.startsWith('data: ')) each(JSON.parse(line.slice(6)));
		}
	}
}
