// Things and thing groups.

import {h, link, seg, text} from './dom.js';
import * as api from './api.js';
import {path} from './api.js';
import {ask, badge, cli, field, filters, input, pager, pairs, select, statuses, table, time, words} from './ui.js';
import {executionLink} from './job.js';
import {readOnly} from './session.js';

const button = (label, onclick, className = '') => h('button', {type: 'button', class: className, onclick}, label);
const actions = (...buttons) => (readOnly() ? '' : h('div', {class: 'actions'}, buttons));
const attributesText = (attributes) => Object.entries(attributes || {}).map(([k, v]) => `${k}=${v}`).join(', ');
const namePattern = '[a-zA-Z0-9:_\\-]{1,128}';

export async function things(view) {
	const q = Object.fromEntries(view.query);
	view.place.append(h('h1', null, 'Things'), actions(button('Create thing…', createThing, 'primary')), filters(view, [
		['type', 'Thing type', input({value: q.type || ''})], ['name', 'Attribute name', input({value: q.name || ''})], ['value', 'Attribute value', input({value: q.value || ''})]]),
	openByName('Thing name', '/things/'));
	const page = await api.get('/things', {thingTypeName: q.type, attributeName: q.name, attributeValue: q.value, maxResults: 50, nextToken: q.token});
	view.place.append(table('Things', ['Thing', 'Type', 'Attributes'], page.things.map((t) => [
		h('a', {href: '#/things/' + seg(t.thingName)}, text(t.thingName)), text(t.thingTypeName), text(attributesText(t.attributes))])),
	pager(view, page.nextToken), cli('list-things', {thingTypeName: q.type, attributeName: q.name, attributeValue: q.value}));
}

function openByName(label, to) {
	const name = input({required: true});
	return h('form', {class: 'row', onsubmit: (event) => {
		event.preventDefault();
		location.hash = '#' + to + seg(name.value.trim());
	}}, field(label, name), h('div', null, h('button', null, 'Open')));
}

function createThing() {
	const name = input({required: true, pattern: namePattern});
	const list = input({});
	const attributes = () => Object.fromEntries(list.value.split(',').map((p) => p.trim()).filter((p) => p.includes('=')).map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)]));
	const payload = () => (list.value.trim() ? {attributes: attributes()} : undefined);
	ask({
		title: 'Create thing', label: 'Create thing', fields: [field('Name', name), field('Attributes (optional)', list, 'name=value, separated by commas')],
		command: () => ['create-thing', {thingName: name.value || 'THING', attributePayload: payload()}],
		act: async () => {
			await api.call('POST', path`/things/${name.value}`, undefined, {attributePayload: payload()});
			location.hash = '#/things/' + seg(name.value);
		},
	});
}

export async function thing(view) {
	const [name] = view.parts;
	const q = Object.fromEntries(view.query);
	const [t, {thingGroups}, page] = await Promise.all([api.get(path`/things/${name}`), api.get(path`/things/${name}/thing-groups`, {maxResults: 100}),
		api.get(path`/things/${name}/jobs`, {status: q.status, maxResults: 50, nextToken: q.token})]);
	view.place.append(h('h1', null, text(name)),
		actions(h('a', {class: 'button', href: link('/create', {thing: name})}, 'Create job for this'),
			button('Add to a group…', () => {
				const group = input({required: true, pattern: namePattern});
				ask({title: `Add ${name} to a group`, label: 'Add', fields: field('Group', group),
					command: () => ['add-thing-to-thing-group', {thingName: name, thingGroupName: group.value || 'GROUP'}],
					act: async () => {
						await api.call('PUT', '/thing-groups/addThingToThingGroup', undefined, {thingName: name, thingGroupName: group.value});
						view.again();
					}});
			}),
			button('Delete…', () => ask({title: `Delete the thing ${name}?`, danger: true, label: 'Delete thing', effect: 'It leaves its groups, and its open executions end. The device can no longer request jobs.',
				command: () => ['delete-thing', {thingName: name}],
				act: async () => {
					await api.call('DELETE', path`/things/${name}`);
					location.hash = '#/things';
				}}), 'danger')),
		h('section', {class: 'card'}, pairs([['ARN', text(t.thingArn)], ['Type', t.thingTypeName && text(t.thingTypeName)], ['Attributes', text(attributesText(t.attributes))],
			['Groups', h('ul', null, thingGroups.map((g) => h('li', null, h('a', {href: '#/groups/' + seg(g.groupName)}, text(g.groupName)))))]])),
		h('h2', null, 'Job executions'), filters(view, [['status', 'Status', select([['', 'Any'], ...Object.keys(statuses).map((s) => [s, words(s)])], q.status || '')]]),
		table('Job executions', ['Job', 'Status', 'Number', 'Queued', 'Last updated'], page.executionSummaries.map((e) => [
			h('a', {href: executionLink(name, e.jobId, e.jobExecutionSummary.executionNumber)}, text(e.jobId)), badge(e.jobExecutionSummary.status), e.jobExecutionSummary.executionNumber,
			time(e.jobExecutionSummary.queuedAt), time(e.jobExecutionSummary.lastUpdatedAt)])),
		pager(view, page.nextToken), cli('list-job-executions-for-thing', {thingName: name, status: q.status}));
}

export async function groups(view) {
	const q = Object.fromEntries(view.query);
	view.place.append(h('h1', null, 'Thing groups'), actions(button('Create group…', createGroup, 'primary')), filters(view, [
		['prefix', 'Name begins with', input({type: 'search', value: q.prefix || ''})], ['parent', 'Parent group', input({value: q.parent || ''})]]));
	const page = await api.get('/thing-groups', {namePrefixFilter: q.prefix, parentGroup: q.parent, maxResults: 50, nextToken: q.token});
	view.place.append(table('Thing groups', ['Group', 'ARN'], page.thingGroups.map((g) => [h('a', {href: '#/groups/' + seg(g.groupName)}, text(g.groupName)), text(g.groupArn)])),
		pager(view, page.nextToken), cli('list-thing-groups', {namePrefixFilter: q.prefix, parentGroup: q.parent}));
}

function createGroup() {
	const name = input({required: true, pattern: namePattern});
	const parent = input({pattern: namePattern});
	const description = input({dir: 'auto'});
	const properties = () => (description.value ? {thingGroupDescription: description.value} : undefined);
	ask({
		title: 'Create group', label: 'Create group', fields: [field('Name', name), field('Parent (optional)', parent), field('Description (optional)', description)],
		command: () => ['create-thing-group', {thingGroupName: name.value || 'GROUP', parentGroupName: parent.value, thingGroupProperties: properties()}],
		act: async () => {
			await api.call('POST', path`/thing-groups/${name.value}`, undefined, {parentGroupName: parent.value || undefined, thingGroupProperties: properties()});
			location.hash = '#/groups/' + seg(name.value);
		},
	});
}

export async function group(view) {
	const [name] = view.parts;
	const q = Object.fromEntries(view.query);
	const [g, members] = await Promise.all([api.get(path`/thing-groups/${name}`), api.get(path`/thing-groups/${name}/things`, {maxResults: 50, nextToken: q.token})]);
	const change = (title, operation, command) => {
		const things = h('textarea', {required: true, rows: '4'});
		const list = () => things.value.split(/[\s,]+/).filter(Boolean);
		ask({title, label: title, fields: field('Thing names', things, 'Separated by spaces or lines'),
			command: () => [command, {thingName: list()[0] || 'THING', thingGroupName: name}],
			act: async () => {
				for (const thing of list()) await api.call('PUT', '/thing-groups/' + operation, undefined, {thingName: thing, thingGroupName: name});
				view.again();
			}});
	};
	const above = g.thingGroupMetadata?.parentGroupName;
	view.place.append(h('h1', null, text(name)), h('p', {dir: 'auto'}, g.thingGroupProperties?.thingGroupDescription || ''),
		actions(h('a', {class: 'button', href: link('/create', {group: name})}, 'Create job for this'),
			button('Add things…', () => change('Add things', 'addThingToThingGroup', 'add-thing-to-thing-group')),
			button('Remove things…', () => change('Remove things', 'removeThingFromThingGroup', 'remove-thing-from-thing-group')),
			button('Delete…', () => ask({title: `Delete the group ${name}?`, danger: true, label: 'Delete group', effect: 'Its things stay. Continuous jobs that target it get no further things.',
				command: () => ['delete-thing-group', {thingGroupName: name}],
				act: async () => {
					await api.call('DELETE', path`/thing-groups/${name}`);
					location.hash = '#/groups';
				}}), 'danger')),
		h('section', {class: 'card'}, pairs([['ARN', text(g.thingGroupArn)], ['Parent', above && h('a', {href: '#/groups/' + seg(above)}, text(above))], ['Created', time(g.thingGroupMetadata?.creationDate)],
			['Jobs', h('a', {href: link('/jobs', {group: name})}, 'that target this group')], ['Groups within', h('a', {href: link('/groups', {parent: name})}, 'list')]])),
		h('h2', null, 'Things'), table('Things of the group', ['Thing'], members.things.map((t) => [h('a', {href: '#/things/' + seg(t)}, text(t))])),
		pager(view, members.nextToken), cli('list-things-in-thing-group', {thingGroupName: name}));
}
