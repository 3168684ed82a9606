// The list of jobs.

import {h, seg, text} from './dom.js';
import * as api from './api.js';
import {badge, cli, filters, input, pager, select, table, time} from './ui.js';
import {readOnly} from './session.js';

const jobStatuses = ['IN_PROGRESS', 'SCHEDULED', 'COMPLETED', 'CANCELED', 'DELETION_IN_PROGRESS'];
const jobStatusOptions = [['', 'Any'], ...jobStatuses.map((s) => [s, s.toLowerCase().replaceAll('_', ' ')])];

// list returns a page of jobs. To search, it reads pages until it has enough jobs whose ID contains the words.
async function list(view, query, words) {
	if (!words) return api.get('/jobs', query);
	const found = [];
	let token = query.nextToken;
	for (let pages = 0; pages < 20; pages++) {
		const page = await api.get('/jobs', {...query, maxResults: 250, nextToken: token});
		if (view.signal.aborted) break;
		found.push(...page.jobs.filter((j) => j.jobId.toLowerCase().includes(words.toLowerCase())));
		token = page.nextToken;
		if (!token || found.length >= 50) break;
	}
	return {jobs: found, nextToken: token};
}

export async function jobs(view) {
	const q = Object.fromEntries(view.query);
	const query = {status: q.status, targetSelection: q.type, thingGroupName: q.group, maxResults: 50, nextToken: q.token};
	view.place.append(
		h('h1', null, 'Jobs'),
		h('div', {class: 'actions'}, !readOnly() && h('a', {class: 'button primary', href: '#/create'}, 'Create job'),
			h('button', {type: 'button', onclick: view.again}, 'Refresh')),
		filters(view, [
			['search', 'Job ID contains', input({type: 'search', value: q.search || ''})],
			['status', 'Status', select(jobStatusOptions, q.status || '')],
			['type', 'Type', select([['', 'Any'], ['SNAPSHOT', 'Snapshot'], ['CONTINUOUS', 'Continuous']], q.type || '')],
			['group', 'Thing group', input({value: q.group || ''})],
		]));
	const page = await list(view, query, q.search);
	view.place.append(
		table('Jobs', ['Job', 'Status', 'Type', 'Created', 'Last updated', 'Completed'], page.jobs.map((j) => [
			h('a', {href: '#/jobs/' + seg(j.jobId)}, text(j.jobId)), badge(j.status), j.targetSelection === 'CONTINUOUS' ? 'Continuous' : 'Snapshot',
			time(j.createdAt), time(j.lastUpdatedAt), time(j.completedAt),
		])),
		pager(view, page.nextToken),
		cli('list-jobs', {status: query.status, targetSelection: query.targetSelection, thingGroupName: query.thingGroupName}));
}

