// Components shared by the views.

import {h, svg, replace, text, link, announce} from './dom.js';
import {awsLine} from './cli.js';

// Statuses of executions in the order in which they are shown, with the counter of each in DescribeJob.
export const statuses = {
	SUCCEEDED: 'numberOfSucceededThings', IN_PROGRESS: 'numberOfInProgressThings', QUEUED: 'numberOfQueuedThings',
	FAILED: 'numberOfFailedThings', TIMED_OUT: 'numberOfTimedOutThings', REJECTED: 'numberOfRejectedThings',
	REMOVED: 'numberOfRemovedThings', CANCELED: 'numberOfCanceledThings',
};
export const failures = ['FAILED', 'TIMED_OUT', 'REJECTED'];

export const words = (status) => status.charAt(0) + status.slice(1).toLowerCase().replaceAll('_', ' ');

export const badge = (status) => h('span', {class: 'status s-' + status}, words(status || 'UNKNOWN'));

const number = new Intl.NumberFormat('en');
export const count = (n) => number.format(n);

// time shows a Unix time in the reader's time zone, with a tooltip in UTC.
export function time(seconds) {
	if (!seconds) return '–';
	const date = new Date(seconds * 1000);
	return h('time', {datetime: date.toISOString(), title: date.toISOString()}, date.toLocaleString());
}

// pairs is a list of names and values; empty values are omitted.
export const pairs = (entries) => h('dl', null, entries.filter(([, v]) => v !== undefined && v !== null && v !== '')
	.map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));

// table shows rows of cells under its columns.
export const table = (caption, columns, rows) => h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption},
	h('table', null, h('caption', {class: 'hidden-text'}, caption),
		h('thead', null, h('tr', null, columns.map((c) => h('th', {scope: 'col'}, c)))),
		h('tbody', null, rows.length ? rows.map((cells) => h('tr', null, cells.map((c) => h('td', null, c))))
			: h('tr', null, h('td', {colspan: columns.length}, 'None.')))));

// field is a labelled control.
let fields = 0;
export function field(label, control, hint) {
	control.id ||= 'f' + ++fields;
	const about = hint && h('div', {class: 'hint', id: control.id + '-hint'}, hint);
	if (about) control.setAttribute('aria-describedby', about.id);
	return h('div', null, h('label', {for: control.id}, label), control, about);
}

export const input = (props) => h('input', {spellcheck: 'false', autocomplete: 'off', ...props});

export const select = (options, value, props) => h('select', props, options.map(([v, label]) => h('option', {value: v, selected: v === value}, label)));

export const checkbox = (label, box) => h('label', {class: 'inline'}, box, label);

// filters is a form whose values go into the view's URL. controls are [name, label, control].
export function filters(view, controls) {
	const go = (event) => {
		event.preventDefault();
		const query = {};
		for (const [name, , control] of controls) query[name] = control.value.trim();
		const to = link(view.path, query);
		if (to === location.hash) view.again();
		else location.hash = to;
	};
	return h('form', {class: 'row', role: 'search', onsubmit: go}, controls.map(([, label, control]) => field(label, control)),
		h('div', null, h('button', null, 'Apply')));
}

// pager links to the next page of a listing, and to its first. The token is in the URL, so that a page can be reloaded.
export function pager(view, nextToken) {
	const query = Object.fromEntries(view.query);
	const {token, ...first} = query;
	return h('nav', {class: 'actions', 'aria-label': 'Pages'},
		token && h('a', {class: 'button', href: link(view.path, first)}, 'First page'),
		nextToken && h('a', {class: 'button', href: link(view.path, {...query, token: nextToken})}, 'Next page'));
}

// copyable is a line of text with a copy button.
export function copyable(line) {
	const button = h('button', {type: 'button', onclick: async () => {
		try {
			await navigator.clipboard.writeText(line);
			button.textContent = 'Copied';
			announce('Copied');
		} catch {
			getSelection().selectAllChildren(code);
			button.textContent = 'Selected: press Ctrl+C';
		}
	}}, 'Copy');
	const code = h('pre', {tabindex: '0', 'aria-label': 'AWS CLI line'}, line);
	return h('div', {class: 'cli'}, code, button);
}

// cli shows the AWS CLI command of an operation.
export const cli = (command, members) => h('details', null, h('summary', null, 'AWS CLI'), copyable(awsLine(location.origin, command, members)));

// ask opens a confirmation dialog. o has title, effect, fields, command() for the CLI, label and act(). The dialog
// closes once act has succeeded.
export function ask(o) {
	const problem = h('div', {role: 'alert'});
	const lines = h('div', null);
	const drawLine = () => { if (o.command) replace(lines, copyable(awsLine(location.origin, ...o.command()))); };
	const go = h('button', {class: o.danger ? 'danger' : 'primary'}, o.label);
	const dialog = h('dialog', {'aria-labelledby': 'ask-title', oninput: drawLine},
		h('form', {onsubmit: async (event) => {
			event.preventDefault();
			go.disabled = true;
			try {
				await o.act();
				dialog.close();
				announce(o.label + ': done');
			} catch (error) {
				replace(problem, h('p', {class: 'notice bad'}, error.message));
				go.disabled = false;
			}
		}},
		h('h2', {id: 'ask-title'}, o.title), o.effect && h('p', null, o.effect), o.fields, problem,
		o.command && [h('h3', null, 'The same with the AWS CLI'), lines],
		h('div', {class: 'actions'}, go, h('button', {type: 'button', onclick: () => dialog.close()}, 'Keep as it is'))));
	const before = document.activeElement;
	dialog.addEventListener('close', () => { dialog.remove(); refocus(before); });
	drawLine();
	document.getElementById('main').append(dialog);
	dialog.showModal();
	return dialog;
}

// refocus moves the focus to a control or, if it was redrawn, to the control with the same text.
export function refocus(node) {
	const same = node?.isConnected ? node : [...document.querySelectorAll('main button, main a')].find((n) => n.textContent === node?.textContent);
	same?.focus();
}

// bar shows counts as parts of a whole. It returns {node, draw(counts)}.
export function bar() {
	const parts = Object.fromEntries(Object.keys(statuses).map((s) => [s, h('i', {class: 's-' + s})]));
	const strip = h('div', {class: 'bar', role: 'img'}, Object.values(parts));
	const list = h('ul', {class: 'counts', 'aria-label': 'Executions by status'});
	const draw = (counts) => {
		const total = Object.keys(statuses).reduce((n, s) => n + (counts[s] || 0), 0);
		for (const [s, part] of Object.entries(parts)) part.style.width = total ? 100 * (counts[s] || 0) / total + '%' : '0';
		const done = total - (counts.QUEUED || 0) - (counts.IN_PROGRESS || 0);
		strip.setAttribute('aria-label', `${total ? Math.floor(100 * done / total) : 0} % of ${count(total)} executions have ended`);
		replace(list, Object.keys(statuses).filter((s) => counts[s]).map((s) => h('li', null, badge(s), ' ', h('strong', null, count(counts[s])))),
			h('li', null, 'Total ', h('strong', null, count(total))));
	};
	return {node: h('div', null, strip, list), draw};
}

// Series keeps a limited number of samples: when it is full, it drops every second one.
export class Series {
	constructor(limit = 600) {
		this.limit = limit;
		this.points = [];
	}

	add(at, counts) {
		const last = this.points.at(-1);
		if (last && at <= last.at) return;
		this.points.push({at, counts});
		if (this.points.length > this.limit) this.points = this.points.filter((_, i) => i % 2 === 0 || i === this.points.length - 1);
	}
}

// plot draws a series over time, with a line per status.
export function plot() {
	const caption = h('p', {class: 'hint'});
	const picture = svg('svg', {class: 'plot', viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img'});
	const draw = (series) => {
		const {points} = series;
		if (points.length < 2) {
			picture.setAttribute('aria-label', 'No progress recorded yet');
			caption.textContent = 'The plot begins with the first changes.';
			return;
		}
		const from = points[0].at;
		const span = points.at(-1).at - from || 1;
		const most = Math.max(1, ...points.map((p) => Math.max(0, ...Object.values(p.counts))));
		replace(picture, Object.keys(statuses).filter((s) => points.some((p) => p.counts[s])).map((s) => svg('path', {
			class: 's-' + s,
			d: points.map((p, i) => `${i ? 'L' : 'M'}${(100 * (p.at - from) / span).toFixed(2)} ${(98 - 96 * (p.counts[s] || 0) / most).toFixed(2)}`).join(''),
		})));
		caption.textContent = `${new Date(from).toLocaleTimeString()} to ${new Date(points.at(-1).at).toLocaleTimeString()}, up to ${count(most)} executions`;
		picture.setAttribute('aria-label', 'Executions by status over time: ' + caption.textContent);
	};
	return {node: h('div', null, picture, caption), draw};
}

export const thingOf = (arn) => (arn || '').split(':thing/').pop();

// json shows a value, or a text that is JSON, as indented JSON. Other text is shown unchanged.
export function json(value) {
	let shown = value;
	try {
		shown = JSON.stringify(typeof value === 'string' ? JSON.parse(value) : value, null, 2);
	} catch {
		// YAML, or plain text.
	}
	return h('pre', {tabindex: '0', dir: 'auto'}, shown);
}

export {text};
