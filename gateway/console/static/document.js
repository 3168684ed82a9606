// The field for a job document. The gateway checks the document while the user types.

import {h, replace} from './dom.js';
import * as api from './api.js';
import {field} from './ui.js';

// excerpt shows a problem's line with its column marked. Lines and columns count from 1, columns in characters.
export function excerpt(text, problem) {
	const line = [...(text.split('\n')[problem.line - 1] || '')];
	const at = Math.max(0, problem.column - 1);
	const from = Math.max(0, at - 30);
	return h('pre', null, from ? '…' : '', line.slice(from, at).join(''), h('mark', null, line[at] ?? '⏎'), line.slice(at + 1, at + 60).join(''));
}

// syntax finds the problems that can be found without the gateway: JSON that does not parse.
function syntax(text) {
	try {
		JSON.parse(text);
		return [];
	} catch (error) {
		const position = /position (\d+)/.exec(error.message);
		const before = text.slice(0, position ? Number(position[1]) : 0).split('\n');
		return [{line: before.length, column: [...before.at(-1)].length + 1, message: 'This is not JSON: ' + error.message}];
	}
}

async function problemsOf(text, signal) {
	try {
		const answer = await api.call('POST', '/-/document/check', undefined, {document: text}, {signal});
		return answer.problems || [];
	} catch (error) {
		if (api.absent(error) || error.code === 'AccessDenied') return syntax(text);
		throw error;
	}
}

// documentField returns {node, control, check}. The document is checked when typing pauses.
export function documentField(view, value = '') {
	const control = h('textarea', {spellcheck: 'false', value, rows: '14', dir: 'ltr', class: 'mono'});
	const result = h('div', {role: 'status', 'aria-live': 'polite'});
	let running = null;
	const check = async () => {
		running?.abort();
		running = new AbortController();
		const {signal} = running;
		const text = control.value;
		if (!text.trim()) return replace(result);
		let problems;
		try {
			problems = await problemsOf(text, signal);
		} catch (error) {
			if (error.name === 'AbortError') return undefined;
			return replace(result, h('p', {class: 'dim'}, 'Not checked: ' + error.message));
		}
		if (signal.aborted) return undefined;
		control.setAttribute('aria-invalid', String(problems.length > 0));
		return replace(result, problems.length ? problems.map((p) => h('div', {class: 'notice bad problem'},
			h('p', null, p.line ? `Line ${p.line}, column ${p.column}: ` : '', p.message), p.line && excerpt(text, p)))
			: h('p', {class: 'good'}, 'The document is well formed.'));
	};
	let timer = 0;
	control.addEventListener('input', () => {
		clearTimeout(timer);
		timer = setTimeout(check, 300);
	});
	view.signal.addEventListener('abort', () => { clearTimeout(timer); running?.abort(); });
	if (value) check();
	return {node: h('div', null, field('Document', control, 'JSON with placeholders such as ${aws:iot:s3-presigned-url-v2:…}; the gateway fills them for each device'), result), control, check};
}
