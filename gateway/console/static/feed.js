// The live feed: the newest events, sampled.

import {h, replace, seg, text} from './dom.js';
import {badge, count, filters, input, select} from './ui.js';
import {follow, Sampler} from './live.js';
import {executionLink} from './job.js';

const shown = 100;

// Ring keeps the newest events and counts all.
export class Ring {
	constructor(limit) {
		Object.assign(this, {limit, items: [], next: 0, total: 0, missed: 0});
	}

	add(event) {
		this.missed += event.missed || 0;
		this.items[this.next] = event;
		this.next = (this.next + 1) % this.limit;
		this.total++;
	}

	newest() {
		return [...this.items.slice(this.next), ...this.items.slice(0, this.next)].reverse();
	}
}

export async function feed(view) {
	const q = Object.fromEntries(view.query);
	const ring = new Ring(shown);
	const list = h('ol', {class: 'feed', reversed: true, 'aria-label': 'Events, newest first'});
	const summary = h('p', {class: 'dim'}, 'Nothing has happened yet.');
	const sampler = new Sampler(500, () => {
		replace(summary, `${count(ring.total)} events; the newest ${Math.min(shown, ring.total)} are shown.`,
			ring.missed ? ` ${count(ring.missed)} more were left out by the gateway: too many came at once.` : '');
		replace(list, ring.newest().filter((e) => e.jobId).map(line));
	});
	view.signal.addEventListener('abort', () => sampler.stop());
	view.place.append(h('h1', null, 'Live feed'),
		filters(view, [['job', 'Job ID', input({value: q.job || ''})], ['only', 'Show', select([['', 'Jobs and executions'], ['jobs', 'Jobs only']], q.only || '')]]),
		follow(view, {jobId: q.job, executions: q.only === 'jobs' ? 'false' : undefined}, (e) => {
			ring.add(e);
			sampler.touch();
		}), summary, list);
}

function line(e) {
	const job = h('a', {href: '#/jobs/' + seg(e.jobId)}, text(e.jobId));
	const when = h('time', {datetime: e.time, class: 'dim'}, new Date(e.time).toLocaleTimeString());
	if (e.thingName) {
		return h('li', null, when, ' ', badge(e.status || 'REMOVED'), ' ', h('a', {href: executionLink(e.thingName, e.jobId, e.executionNumber)}, text(e.thingName)), ' in ', job);
	}
	return h('li', null, when, ' ', badge(e.jobStatus || 'REMOVED'), ' ', job, ' ', h('span', {class: 'dim'}, e.type), e.reasonCode ? [' ', text(e.reasonCode)] : '');
}
