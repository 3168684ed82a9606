// The current session. It does not keep the secret, only keys derived from it for today and tomorrow (UTC), which cannot be
// read back. They stay in this browser until sign-out, so that a view can be reloaded.

import {signingKey, stamp} from './sigv4.js';

const database = 'jobgate-console';
let current = null;
let channel = null; // to other tabs

function open() {
	return new Promise((resolve, reject) => {
		const request = indexedDB.open(database, 1);
		request.onupgradeneeded = () => request.result.createObjectStore('session');
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

async function transact(mode, act) {
	const db = await open();
	try {
		return await new Promise((resolve, reject) => {
			const transaction = db.transaction('session', mode);
			const request = act(transaction.objectStore('session'));
			transaction.oncomplete = () => resolve(request.result);
			transaction.onerror = transaction.onabort = () => reject(transaction.error);
		});
	} finally {
		db.close();
	}
}

const day = (ahead) => stamp(new Date(Date.now() + ahead * 86400e3)).slice(0, 8);

// derive returns a session {accessKeyId, region, keys} that is not active yet.
export async function derive(accessKeyId, secret, region) {
	const keys = {};
	for (const d of [day(0), day(1)]) keys[d] = await signingKey(secret, d, region, 'iot');
	return {accessKeyId, region, keys};
}

// start activates a session, and stores it so that it survives a reload.
export async function start(session) {
	current = session;
	try {
		await transact('readwrite', (store) => store.put(session, 'current'));
	} catch {
		// A private window may have no storage: the session then ends with the page.
	}
}

// restore returns the stored session, if its keys are still valid.
export async function restore() {
	try {
		current = (await transact('readonly', (store) => store.get('current'))) || null;
	} catch {
		current = null;
	}
	if (current && !current.keys[day(0)]) await end();
	return current;
}

// end deletes the session here and in other tabs.
export async function end() {
	current = null;
	channel?.postMessage('signed out');
	try {
		await transact('readwrite', (store) => store.clear());
	} catch {
		// There is no storage.
	}
}

// onEnd calls f when another tab signs out.
export function onEnd(f) {
	channel = new BroadcastChannel(database);
	channel.addEventListener('message', () => {
		current = null;
		f();
	});
}

export const session = () => current;

// today returns today's key, undefined if the session has expired.
export const today = (s) => s.keys[day(0)];

export const readOnly = () => !current || current.readOnly !== false;
