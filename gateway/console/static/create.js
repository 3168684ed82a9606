// Create a job.

import {h, replace, seg} from './dom.js';
import * as api from './api.js';
import {path} from './api.js';
import {checkbox, copyable, field, input, select} from './ui.js';
import {documentField} from './document.js';
import {settingsForm} from './settings.js';
import {awsLine} from './cli.js';
import {readOnly, session} from './session.js';

const names = (text) => text.split(/[\s,]+/).filter(Boolean);
const arn = (kind, name) => (name.startsWith('arn:') ? name : `arn:aws:iot:${session().region}:${session().account}:${kind}/${name}`);

export async function create(view) {
	view.place.append(h('h1', null, 'Create job'));
	if (readOnly()) {
		view.place.append(h('p', {class: 'notice'}, 'Your access key is read-only: it cannot create jobs.'));
		return;
	}
	const q = Object.fromEntries(view.query);
	const [{thingGroups}, {jobTemplates}, {managedJobTemplates}] = await Promise.all([
		api.get('/thing-groups', {maxResults: 100}), api.get('/job-templates', {maxResults: 100}), api.get('/managed-job-templates', {maxResults: 100})]);
	const c = {
		id: input({required: true, pattern: '[a-zA-Z0-9_\\-]{1,64}', maxLength: 64}),
		description: input({maxlength: 2028, dir: 'auto', spellcheck: 'true'}),
		groups: input({list: 'groups', value: q.group || ''}),
		things: h('textarea', {rows: '2', class: 'mono', value: q.thing || '', spellcheck: 'false'}),
		continuous: h('input', {type: 'checkbox'}),
		from: select([['text', 'Written here'], ['s3', 'An object in S3'], ['template', 'A template']], q.template ? 'template' : 'text'),
		source: input({placeholder: 'https://bucket.s3.us-east-1.amazonaws.com/document.json'}),
		template: select([['', 'Choose…'], ...jobTemplates.map((t) => [t.jobTemplateArn, t.jobTemplateId]), ...managedJobTemplates.map((t) => [t.templateArn, t.templateName + ' (AWS managed)'])], q.template || ''),
		parameters: h('textarea', {rows: '3', class: 'mono', spellcheck: 'false'}),
		start: input({type: 'datetime-local'}), end: input({type: 'datetime-local'}),
		endBehavior: select([['', 'Stop the rollout'], ['CANCEL', 'Cancel'], ['FORCE_CANCEL', 'Cancel by force']], ''),
	};
	const written = documentField(view);
	const settings = settingsForm();
	const minute = (control) => (control.value ? control.value.replace('T', ' ').slice(0, 16) : undefined);
	const members = () => {
		const m = {
			targets: [...names(c.groups.value).map((n) => arn('thinggroup', n)), ...names(c.things.value).map((n) => arn('thing', n))],
			targetSelection: c.continuous.checked ? 'CONTINUOUS' : 'SNAPSHOT', description: c.description.value || undefined, ...settings.read(),
		};
		if (c.from.value === 'text') m.document = written.control.value;
		if (c.from.value === 's3') m.documentSource = c.source.value.trim();
		if (c.from.value === 'template') {
			m.jobTemplateArn = c.template.value;
			const parameters = c.parameters.value.split('\n').filter((l) => l.includes('=')).map((l) => [l.slice(0, l.indexOf('=')).trim(), l.slice(l.indexOf('=') + 1)]);
			if (parameters.length) m.documentParameters = Object.fromEntries(parameters);
		}
		if (c.start.value || c.end.value) m.schedulingConfig = {startTime: minute(c.start), endTime: minute(c.end), endBehavior: c.end.value ? c.endBehavior.value || 'STOP_ROLLOUT' : undefined};
		return m;
	};
	const sources = {text: written.node, s3: field('URL of the object', c.source, 'The gateway reads it once, now'), template: h('div', null, field('Template', c.template), field('Parameters', c.parameters, 'NAME=VALUE, one per line'))};
	const choose = () => { for (const [name, node] of Object.entries(sources)) node.hidden = name !== c.from.value; };
	c.from.addEventListener('change', choose);
	choose();
	const problem = h('div', {role: 'alert'});
	const line = h('div', null);
	const drawLine = () => replace(line, copyable(awsLine(location.origin, 'create-job', {jobId: c.id.value || 'JOB', ...members()})));
	const form = h('form', {oninput: drawLine, onchange: drawLine, onsubmit: async (event) => {
		event.preventDefault();
		button.disabled = true;
		try {
			if (c.from.value === 'text') await written.check();
			await api.call('PUT', path`/jobs/${c.id.value}`, undefined, members());
			location.hash = '#/jobs/' + seg(c.id.value);
		} catch (error) {
			replace(problem, h('p', {class: 'notice bad'}, error.message));
			button.disabled = false;
		}
	}});
	const button = h('button', {class: 'primary'}, 'Create job');
	form.append(
		h('fieldset', null, h('legend', null, 'Job'), h('div', {class: 'grid'}, field('Job ID', c.id, 'Letters, digits, - and _, at most 64'), field('Description (optional)', c.description))),
		h('fieldset', null, h('legend', null, 'Targets'), h('datalist', {id: 'groups'}, thingGroups.map((g) => h('option', {value: g.groupName}))),
			field('Thing groups', c.groups, 'Names or ARNs, separated by spaces'), field('Things', c.things, 'Names or ARNs, separated by spaces or lines'),
			checkbox('Continuous: things that join the groups later also get the job', c.continuous)),
		h('fieldset', null, h('legend', null, 'Job document'), field('The document is', c.from), Object.values(sources)),
		settings.node,
		h('fieldset', null, h('legend', null, 'Schedule (UTC)'), h('div', {class: 'grid'}, field('Start', c.start, 'Empty: now'), field('End', c.end), field('At the end', c.endBehavior))),
		problem, h('div', {class: 'actions'}, button), h('h2', null, 'The same with the AWS CLI'), line);
	drawLine();
	view.place.append(form);
}
