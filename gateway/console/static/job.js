// One job: progress, executions, document, settings and actions.

import {h, link, replace, seg, text} from './dom.js';
import * as api from './api.js';
import {path} from './api.js';
import {ask, badge, bar, checkbox, cli, count, failures, field, filters, input, json, pager, pairs, plot, refocus, select, Series, statuses, table, thingOf, time, words} from './ui.js';
import {follow, Sampler} from './live.js';
import {readOnly} from './session.js';

const tabs = [['', 'Progress'], ['executions', 'Executions'], ['failures', 'Failures'], ['document', 'Document'], ['settings', 'Settings']];
const ended = new Set(['COMPLETED', 'CANCELED']);

const countsOf = (details) => Object.fromEntries(Object.entries(statuses).map(([s, name]) => [s, details[name] || 0]));

export async function job(view) {
	const [id, tab = ''] = view.parts;
	const {job, documentSource} = await api.get(path`/jobs/${id}`);
	const head = h('div', null);
	let latest = job;
	let drawn = '';
	// draw redraws the job's header if it has changed, and keeps the focus.
	const draw = (j) => {
		latest = j;
		const differs = JSON.stringify([j.description, j.status, j.reasonCode, j.comment, j.targetSelection]);
		if (differs === drawn) return;
		drawn = differs;
		const focus = head.contains(document.activeElement) && document.activeElement;
		replace(head,
			h('h1', null, text(j.jobId)),
			j.description && h('p', {dir: 'auto'}, j.description),
			h('p', null, badge(j.status), ' ', j.reasonCode && ['· ', text(j.reasonCode), ' '], j.comment && ['· ', text(j.comment)]),
			!readOnly() && actions(view, j, () => countsOf(latest.jobProcessDetails)));
		if (focus) refocus(focus);
	};
	draw(job);
	view.place.append(head, h('nav', {class: 'tabs', 'aria-label': 'Job'}, tabs.map(([to, name]) =>
		h('a', {href: '#/jobs/' + seg(id) + (to && '/' + to), 'aria-current': to === tab && 'page'}, name))));
	await {'': progress, executions, failures: failed, document: documentOf, settings}[tab](view, job, documentSource, draw);
}

function actions(view, j, countsNow) {
	const buttons = [];
	const add = (label, open, danger) => buttons.push(h('button', {type: 'button', class: danger ? 'danger' : '', onclick: open}, label));
	add('Retry failed…', () => retry(j));
	if (j.targetSelection === 'CONTINUOUS' && !ended.has(j.status)) add('Add targets…', () => associate(view, j));
	buttons.push(h('a', {class: 'button', href: link('/templates-new', {job: j.jobArn})}, 'Save as template'));
	if (!ended.has(j.status) && j.status !== 'DELETION_IN_PROGRESS') {
		add('Cancel…', () => {
			const force = h('input', {type: 'checkbox'});
			const reason = input({pattern: '[A-Z0-9_]{0,128}'});
			const comment = input({});
			const counts = countsNow();
			ask({
				title: 'Cancel ' + j.jobId + '?', danger: true, label: 'Cancel job',
				effect: `${count(counts.QUEUED)} queued executions are canceled, and no more things get this job. ${count(counts.IN_PROGRESS)} executions in progress continue unless forced. This cannot be undone.`,
				fields: [checkbox('Also cancel executions in progress (force): their devices may be left in an unknown state', force),
					field('Reason code (optional)', reason, 'Capital letters, digits and _'), field('Comment (optional)', comment)],
				command: () => ['cancel-job', {jobId: j.jobId, force: force.checked, reasonCode: reason.value, comment: comment.value}],
				act: async () => {
					await api.call('PUT', path`/jobs/${j.jobId}/cancel`, {force: force.checked || undefined}, {reasonCode: reason.value || undefined, comment: comment.value || undefined});
					view.again();
				},
			});
		}, true);
	}
	add('Delete…', () => {
		const force = h('input', {type: 'checkbox', checked: !ended.has(j.status)});
		ask({
			title: 'Delete ' + j.jobId + '?', danger: true, label: 'Delete job',
			effect: 'The job and the records of all its executions are removed, with the reasons of those that failed. This cannot be undone.',
			fields: checkbox('Delete even while it is in progress (force)', force),
			command: () => ['delete-job', {jobId: j.jobId, force: force.checked}],
			act: async () => {
				await api.call('DELETE', path`/jobs/${j.jobId}`, {force: force.checked || undefined});
				location.hash = '#/jobs';
			},
		});
	}, true);
	return h('div', {class: 'actions'}, buttons);
}

function retry(j) {
	const jobId = input({required: true, value: (j.jobId.slice(0, 56) + '-retry'), pattern: '[a-zA-Z0-9_-]{1,64}'});
	const boxes = failures.map((s) => [s, h('input', {type: 'checkbox', checked: true})]);
	const reason = input({});
	const outcome = h('p', {role: 'status'}, '');
	const request = (dryRun) => api.call('POST', path`/-/jobs/${j.jobId}/retry`, undefined, {
		jobId: jobId.value, statuses: boxes.filter(([, b]) => b.checked).map(([s]) => s), reason: reason.value || undefined, dryRun: dryRun || undefined,
	});
	const explained = (error) => (api.absent(error) ? new Error('This gateway cannot retry: it has no retry operation. Update the gateway.') : error);
	ask({
		title: 'Retry the failed executions of ' + j.jobId, label: 'Create the retry',
		effect: 'Creates a job with the same document and settings. Its target is a new group of the things whose latest execution failed. This job is not changed. Repeating the retry with the same ID has no further effect.',
		fields: [field('ID of the new job', jobId), h('fieldset', null, h('legend', null, 'Things whose execution is'), boxes.map(([s, b]) => checkbox(words(s), b))),
			field('Only with this reason (optional)', reason, 'The reason in statusDetails'),
			h('button', {type: 'button', onclick: async () => {
				try {
					const answer = await request(true);
					replace(outcome, `${count(answer.things ?? answer.count ?? 0)} things would get the new job.`);
				} catch (error) {
					replace(outcome, explained(error).message);
				}
			}}, 'How many?'), outcome],
		act: async () => {
			try {
				await request(false);
			} catch (error) {
				throw explained(error);
			}
			location.hash = '#/jobs/' + seg(jobId.value);
		},
	});
}

function associate(view, j) {
	const targets = h('textarea', {required: true});
	const list = () => targets.value.split(/\s+/).filter(Boolean);
	ask({
		title: 'Add targets to ' + j.jobId, label: 'Add targets', fields: field('ARNs of things or groups, one per line', targets),
		command: () => ['associate-targets-with-job', {jobId: j.jobId, targets: list()}],
		act: async () => {
			await api.call('POST', path`/jobs/${j.jobId}/targets`, undefined, {targets: list()});
			view.again();
		},
	});
}

// progress shows live counts. The job's events contain its counts, so events of executions are not requested.
async function progress(view, first, source, drawHead) {
	const meter = bar();
	const picture = plot();
	const series = new Series();
	const id = first.jobId;
	const rate = h('p', {class: 'dim'});
	let counts = countsOf(first.jobProcessDetails);
	let status = first.status;
	try {
		const past = await api.get(path`/-/jobs/${id}/progress`);
		for (const p of past.progress || []) series.add(p.time * 1000 || Date.parse(p.time), p.executions || p.counts || {});
	} catch (error) {
		if (!api.absent(error) && error.status !== 404) throw error;
	}
	series.add(Date.now(), counts);
	const draw = () => {
		meter.draw(counts);
		picture.draw(series);
		replace(rate, estimate(series));
	};
	const sampler = new Sampler(1000, draw);
	const reread = async () => {
		try {
			const {job} = await api.get(path`/jobs/${id}`);
			if (view.signal.aborted) return;
			counts = countsOf(job.jobProcessDetails);
			status = job.status;
			series.add(Date.now(), counts);
			drawHead(job);
			sampler.touch();
		} catch {
			// If the gateway is down, the stream's state shows it; if the job was deleted, an event does.
		}
	};
	const again = new Sampler(5000, reread);
	view.signal.addEventListener('abort', () => { sampler.stop(); again.stop(); });
	draw();
	view.place.append(h('section', {class: 'card'}, h('h2', null, 'Executions'), meter.node, rate, picture.node,
		follow(view, {jobId: id, executions: 'false'}, (e) => {
			if (!e.executions) return;
			counts = e.executions;
			series.add(Date.parse(e.time), counts);
			sampler.touch();
			if (e.jobStatus !== status || e.type === 'job.updated') {
				status = e.jobStatus;
				again.touch();
			}
		}, () => again.touch())),
	h('section', {class: 'card'}, h('h2', null, 'Details'), pairs([
		['ARN', text(first.jobArn)], ['Type', words(first.targetSelection)], ['Targets', h('ul', null, first.targets.map((t) => h('li', null, text(t))))],
		['Created', time(first.createdAt)], ['Last updated', time(first.lastUpdatedAt)], ['Completed', time(first.completedAt)],
		['Template', first.jobTemplateArn && text(first.jobTemplateArn)], ['Document source', source && text(source)],
		['Forced cancel', first.forceCanceled && 'yes'],
	])), cli('describe-job', {jobId: id}));
}

// estimate returns the rate at which executions ended in the last minute of a series, and how long the rest will take.
function estimate(series) {
	const {points} = series;
	const last = points.at(-1);
	const open = (c) => (c.QUEUED || 0) + (c.IN_PROGRESS || 0);
	const from = points.find((p) => p.at >= last.at - 60000);
	const seconds = (last.at - from.at) / 1000;
	const done = open(from.counts) - open(last.counts);
	if (seconds < 1 || done <= 0) return '';
	const rate = done / seconds;
	return `${rate < 10 ? rate.toFixed(1) : count(Math.round(rate))} executions a second; at this rate the rest takes ${duration(open(last.counts) / rate)}.`;
}

const duration = (s) => (s < 90 ? Math.ceil(s) + ' s' : s < 5400 ? Math.round(s / 60) + ' min' : (s / 3600).toFixed(1) + ' h');

const statusOptions = [['', 'Any'], ...Object.keys(statuses).map((s) => [s, words(s)])];

async function executions(view, j) {
	const q = Object.fromEntries(view.query);
	view.place.append(filters(view, [['status', 'Status', select(statusOptions, q.status || '')], ['thing', 'Thing name', input({value: q.thing || ''})]]));
	let page;
	if (q.thing) {
		const found = await api.get(path`/things/${q.thing}/jobs`, {jobId: j.jobId, status: q.status, maxResults: 50, nextToken: q.token});
		page = {...found, executionSummaries: found.executionSummaries.map((e) => ({...e, thing: q.thing}))};
	} else {
		page = await api.get(path`/jobs/${j.jobId}/things`, {status: q.status, maxResults: 50, nextToken: q.token});
	}
	view.place.append(table('Executions', ['Thing', 'Status', 'Number', 'Retry', 'Queued', 'Started', 'Last updated'], page.executionSummaries.map((e) => {
		const s = e.jobExecutionSummary;
		const thing = e.thing || thingOf(e.thingArn);
		return [h('a', {href: executionLink(thing, j.jobId, s.executionNumber)}, text(thing)), badge(s.status), s.executionNumber, s.retryAttempt || '', time(s.queuedAt), time(s.startedAt), time(s.lastUpdatedAt)];
	})), pager(view, page.nextToken), cli('list-job-executions-for-job', {jobId: j.jobId, status: q.status}));
}

export const executionLink = (thing, job, number) => '#/things/' + seg(thing) + '/jobs/' + seg(job) + '/' + number;

// failed lists failed executions with their reasons. It uses the gateway's own operation or, if that is absent, lists by status.
async function failed(view, j) {
	const q = Object.fromEntries(view.query);
	const status = q.status || '';
	view.place.append(filters(view, [
		['status', 'Status', select([['', 'Any failure'], ...failures.map((s) => [s, words(s)])], status)],
		['reason', 'Reason', input({value: q.reason || ''})]]));
	let rows;
	let token;
	try {
		const page = await api.get(path`/-/jobs/${j.jobId}/failures`, {status, reason: q.reason, maxResults: 50, nextToken: q.token});
		rows = page.failures || [];
		token = page.nextToken;
	} catch (error) {
		if (!api.absent(error)) throw error;
		const page = await api.get(path`/jobs/${j.jobId}/things`, {status: status || 'FAILED', maxResults: 25, nextToken: q.token});
		rows = await Promise.all(page.executionSummaries.map(async (e) => {
			const thing = thingOf(e.thingArn);
			const number = e.jobExecutionSummary.executionNumber;
			const {execution} = await api.get(path`/things/${thing}/jobs/${j.jobId}`, {executionNumber: number});
			return {thingName: thing, ...e.jobExecutionSummary, statusDetails: execution.statusDetails?.detailsMap};
		}));
		token = page.nextToken;
		if (q.reason) rows = rows.filter((r) => Object.values(r.statusDetails || {}).some((v) => v.includes(q.reason)));
		if (!status) view.place.append(h('p', {class: 'hint'}, 'Failed executions. Choose a status for those that timed out or were rejected.'));
	}
	view.place.append(table('Failures', ['Thing', 'Status', 'Reason', 'Last updated'], rows.map((r) => [
		h('a', {href: executionLink(r.thingName, j.jobId, r.executionNumber)}, text(r.thingName)), badge(r.status), reasonOf(r), time(r.lastUpdatedAt)])),
	pager(view, token));
}

function reasonOf(r) {
	if (r.reason) return text(r.reason);
	const details = Object.entries(r.statusDetails || {});
	return details.length ? pairs(details.map(([k, v]) => [text(k), text(v)])) : h('span', {class: 'dim'}, 'The device reported none.');
}

async function documentOf(view, j, source) {
	const {document} = await api.get(path`/jobs/${j.jobId}/job-document`);
	view.place.append(h('section', {class: 'card'}, h('h2', null, 'Document'), source && h('p', null, 'From ', text(source)),
		json(document), h('p', {class: 'hint'}, 'Placeholders are filled when a device requests the document.')), cli('get-job-document', {jobId: j.jobId}));
}

async function settings(view, j) {
	const parts = {presignedUrlConfig: 'Presigned URLs', jobExecutionsRolloutConfig: 'Rollout', abortConfig: 'Abort', timeoutConfig: 'Time-out', jobExecutionsRetryConfig: 'Retries', schedulingConfig: 'Schedule', scheduledJobRollouts: 'Next maintenance windows', documentParameters: 'Document parameters'};
	view.place.append(h('section', {class: 'card'}, h('h2', null, 'Settings'), Object.entries(parts).filter(([k]) => j[k] && Object.keys(j[k]).length)
		.map(([k, name]) => [h('h3', null, name), json(j[k])])), cli('describe-job', {jobId: j.jobId}));
	const {tags} = await api.get('/tags', {resourceArn: j.jobArn});
	if (tags?.length) view.place.append(h('section', {class: 'card'}, h('h2', null, 'Tags'), pairs(tags.map((t) => [text(t.Key), text(t.Value)]))));
}

// execution shows one execution of a job by a thing: its details and actions.
export async function execution(view) {
	const [thing, jobId, number] = view.parts;
	const {execution: e} = await api.get(path`/things/${thing}/jobs/${jobId}`, {executionNumber: number});
	const details = Object.entries(e.statusDetails?.detailsMap || {});
	view.place.append(
		h('h1', null, text(thing)),
		h('p', null, badge(e.status), ' in job ', h('a', {href: '#/jobs/' + seg(jobId)}, text(jobId)), ' · ', h('a', {href: '#/things/' + seg(thing)}, 'Thing')),
		!readOnly() && executionActions(view, e, thing, jobId),
		h('section', {class: 'card'}, h('h2', null, 'What the device reported'),
			details.length ? pairs(details.map(([k, v]) => [text(k), text(v)])) : h('p', {class: 'dim'}, 'No status details.')),
		h('section', {class: 'card'}, h('h2', null, 'Execution'), pairs([
			['Number', e.executionNumber], ['Version', e.versionNumber], ['Queued', time(e.queuedAt)], ['Started', time(e.startedAt)],
			['Last updated', time(e.lastUpdatedAt)], ['Seconds until time-out', e.approximateSecondsBeforeTimedOut], ['Canceled by force', e.forceCanceled && 'yes']])),
		cli('describe-job-execution', {jobId, thingName: thing, executionNumber: number}));
}

function executionActions(view, e, thing, jobId) {
	const open = e.status === 'QUEUED' || e.status === 'IN_PROGRESS';
	return h('div', {class: 'actions'},
		open && h('button', {type: 'button', class: 'danger', onclick: () => {
			const force = h('input', {type: 'checkbox', checked: e.status === 'IN_PROGRESS'});
			ask({
				title: `Cancel the execution of ${thing}?`, danger: true, label: 'Cancel execution',
				effect: e.status === 'QUEUED' ? 'The device will not get this job.' : 'The device is working on this job. Canceling needs force, and the device may be left in an unknown state.',
				fields: checkbox('Cancel although it is in progress (force)', force),
				command: () => ['cancel-job-execution', {jobId, thingName: thing, force: force.checked}],
				act: async () => {
					await api.call('PUT', path`/things/${thing}/jobs/${jobId}/cancel`, {force: force.checked || undefined}, {});
					view.again();
				},
			});
		}}, 'Cancel execution…'),
		h('button', {type: 'button', class: 'danger', onclick: () => {
			const force = h('input', {type: 'checkbox', checked: e.status === 'IN_PROGRESS'});
			ask({
				title: `Delete the execution of ${thing}?`, danger: true, label: 'Delete execution',
				effect: 'Its record and what the device reported are removed. This cannot be undone.',
				fields: checkbox('Delete although it is in progress (force)', force),
				command: () => ['delete-job-execution', {jobId, thingName: thing, executionNumber: e.executionNumber, force: force.checked}],
				act: async () => {
					await api.call('DELETE', path`/things/${thing}/jobs/${jobId}/executionNumber/${String(e.executionNumber)}`, {force: force.checked || undefined});
					location.hash = '#/jobs/' + seg(jobId) + '/executions';
				},
			});
		}}, 'Delete execution…'));
}
