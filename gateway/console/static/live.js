// Live events, sampled: however many arrive, the page is drawn once per period.

import {h, replace} from './dom.js';
import * as api from './api.js';

const names = {connecting: 'connecting…', live: 'live', waiting: 'connection lost, trying again…', paused: 'paused', hidden: 'paused while hidden', refused: 'refused'};

// Sampler calls draw at most once per period, and always after the last touch.
export class Sampler {
	constructor(period, draw, now = () => performance.now()) {
		Object.assign(this, {period, draw, now, last: -Infinity, timer: 0});
	}

	touch() {
		if (this.timer) return;
		const wait = Math.max(0, this.last + this.period - this.now());
		this.timer = setTimeout(() => {
			this.timer = 0;
			this.last = this.now();
			this.draw();
		}, wait);
	}

	stop() {
		clearTimeout(this.timer);
		this.timer = 0;
	}
}

// follow keeps a stream open while the view is shown, the tab is visible and the stream is not paused. It returns the pause
// button with the stream's state. resumed is called whenever the stream starts, because earlier events may have been missed.
export function follow(view, query, each, resumed) {
	const state = h('span', {class: 'dim', role: 'status'});
	const button = h('button', {type: 'button', 'aria-pressed': 'false', onclick: () => {
		paused = !paused;
		button.setAttribute('aria-pressed', String(paused));
		button.textContent = paused ? 'Resume' : 'Pause';
		update();
	}}, 'Pause');
	let paused = false;
	let stop = null;
	const say = (name) => replace(state, names[name] || name);
	const update = () => {
		const wanted = !paused && !document.hidden && !view.signal.aborted;
		if (!wanted) {
			stop?.abort();
			stop = null;
			say(paused ? 'paused' : 'hidden');
		} else if (!stop) {
			stop = new AbortController();
			api.events(query, {event: each, state: (name) => {
				say(name);
				if (name === 'live') resumed?.();
			}}, stop.signal);
		}
	};
	document.addEventListener('visibilitychange', update, {signal: view.signal});
	view.signal.addEventListener('abort', () => stop?.abort());
	update();
	return h('div', {class: 'actions'}, button, state);
}
