// The form that asks for an access key.

import {h, replace} from './dom.js';
import * as api from './api.js';
import {derive, start} from './session.js';

// signIn shows the form, with the message why above it, and calls done once the user has signed in.
export function signIn(main, why, done) {
	if (!window.isSecureContext || !crypto.subtle) {
		replace(main, h('h1', null, 'Sign in'), h('p', {class: 'notice bad', role: 'alert'},
			`This page came from ${location.origin} without encryption. Browsers sign requests over https or on this machine only: set control_tls, put the gateway behind TLS, or open a tunnel to its loopback address.`));
		return;
	}
	const error = h('div', {role: 'alert'}, why && h('p', {class: 'notice'}, why));
	const id = h('input', {id: 'key-id', name: 'username', autocomplete: 'username', required: true, spellcheck: 'false', autocapitalize: 'off'});
	const secret = h('input', {id: 'secret', type: 'password', autocomplete: 'off', required: true});
	const button = h('button', {class: 'primary'}, 'Sign in');
	const form = h('form', {class: 'card narrow', onsubmit: async (event) => {
		event.preventDefault();
		const text = secret.value.trim();
		secret.value = '';
		button.disabled = true;
		try {
			const session = await open(id.value.trim(), text);
			await start(session);
			done();
		} catch (refusal) {
			replace(error, h('p', {class: 'notice bad'}, await api.explain(refusal)));
			button.disabled = false;
			secret.focus();
		}
	}},
	h('label', {for: 'key-id'}, 'Access key ID'), id,
	h('label', {for: 'secret'}, 'Secret access key'), secret,
	h('p', {class: 'hint'}, 'The secret never leaves this page. It is replaced by signing keys for today and tomorrow that cannot be read back. Signing out deletes them.'),
	button);
	replace(main, h('h1', null, 'Sign in'), error, form);
	id.focus();
}

// open derives a session and asks the gateway about its key. If the gateway has another region, it repeats this for that region.
async function open(accessKeyId, secret) {
	const first = await derive(accessKeyId, secret, 'us-east-1');
	const answer = await api.identify(first);
	if (answer.keys) return answer;
	return api.identify(await derive(accessKeyId, secret, answer.region));
}
