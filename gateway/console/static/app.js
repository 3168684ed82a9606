// Entry point and router: the URL's hash is the view's address, with its filters.

import {h, replace, announce} from './dom.js';
import * as api from './api.js';
import {restore, session, end, onEnd, readOnly} from './session.js';
import {signIn} from './signin.js';
import {routes} from './views.js';

const main = document.getElementById('main');
const header = document.getElementById('header');
const sections = [['/jobs', 'Jobs'], ['/templates', 'Templates'], ['/things', 'Things'], ['/groups', 'Groups'], ['/feed', 'Live feed']];

// leaving aborts the current view's requests, streams and timers.
let leaving = new AbortController();

function drawHeader(path) {
	const who = session();
	replace(header, h('div', null, h('strong', null, 'jobgate'), who && [
		h('nav', {'aria-label': 'Sections'}, sections.map(([to, name]) =>
			h('a', {href: '#' + to, 'aria-current': path.startsWith(to) && 'page'}, name))),
		h('span', {class: 'who'}, who.accessKeyId, readOnly() ? ' (read-only)' : '', ' · ', who.region),
		h('button', {type: 'button', onclick: async () => { await end(); showSignIn('You are signed out.'); }}, 'Sign out'),
	]));
}

function showSignIn(why) {
	leaving.abort();
	drawHeader('');
	document.title = 'Sign in · jobgate';
	signIn(main, why, show);
}

// show draws the view at the current address.
async function show() {
	leaving.abort();
	leaving = new AbortController();
	if (!session()) return showSignIn('');
	const [path, search = ''] = (location.hash.slice(1) || '/jobs').split('?');
	drawHeader(path);
	for (const [pattern, title, view] of routes) {
		const found = pattern.exec(path);
		if (!found) continue;
		let parts;
		try {
			parts = found.slice(1).map(decodeURIComponent);
		} catch {
			break;
		}
		document.title = [...parts.slice(-1), title, 'jobgate'].join(' · ');
		const place = h('div', null);
		replace(main, place);
		const view_ = {place, parts, query: new URLSearchParams(search), signal: leaving.signal, path, again: show};
		try {
			await view(view_);
		} catch (error) {
			if (error.name === 'AbortError' || view_.signal.aborted) return;
			place.append(h('p', {class: 'notice bad', role: 'alert'}, error.message));
		}
		if (!view_.signal.aborted) announce(document.title);
		return;
	}
	replace(main, h('h1', null, 'Not found'), h('p', null, 'This view does not exist. ', h('a', {href: '#/jobs'}, 'Jobs')));
}

document.getElementById('skip').addEventListener('click', (event) => {
	event.preventDefault(); // the hash belongs to the view
	main.focus();
});
window.addEventListener('hashchange', () => { main.focus({preventScroll: true}); show(); });
onEnd(() => showSignIn('You signed out in another tab.'));
api.setOnSessionEnd(async (error) => {
	const why = await api.explain(error);
	await end();
	showSignIn(why);
});

await restore();
show();
