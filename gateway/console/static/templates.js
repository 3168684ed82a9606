// Job templates.

import {h, link, replace, seg, text} from './dom.js';
import * as api from './api.js';
import {path} from './api.js';
import {ask, cli, copyable, field, input, json, pager, pairs, table, time} from './ui.js';
import {documentField} from './document.js';
import {settingsForm} from './settings.js';
import {awsLine} from './cli.js';
import {readOnly} from './session.js';

export async function templates(view) {
	const q = Object.fromEntries(view.query);
	const [own, managed] = await Promise.all([api.get('/job-templates', {maxResults: 50, nextToken: q.token}), api.get('/managed-job-templates', {maxResults: 100})]);
	view.place.append(h('h1', null, 'Job templates'),
		!readOnly() && h('div', {class: 'actions'}, h('a', {class: 'button primary', href: '#/templates-new'}, 'Create template')) || '',
		table('Job templates', ['Template', 'Description', 'Created'], own.jobTemplates.map((t) => [
			h('a', {href: '#/templates/' + seg(t.jobTemplateId)}, text(t.jobTemplateId)), text(t.description), time(t.createdAt)])),
		pager(view, own.nextToken), cli('list-job-templates'),
		h('h2', null, 'AWS managed templates'),
		table('AWS managed templates', ['Template', 'Version', 'Description'], managed.managedJobTemplates.map((t) => [
			h('a', {href: '#/templates/managed/' + seg(t.templateName)}, text(t.templateName)), text(t.templateVersion), text(t.description)])));
}

export async function template(view, managed) {
	const [id] = view.parts;
	const t = await api.get(managed ? path`/managed-job-templates/${id}` : path`/job-templates/${id}`);
	const arn = t.jobTemplateArn || t.templateArn;
	const parts = {presignedUrlConfig: 'Presigned URLs', jobExecutionsRolloutConfig: 'Rollout', abortConfig: 'Abort', timeoutConfig: 'Time-out', jobExecutionsRetryConfig: 'Retries', maintenanceWindows: 'Maintenance windows', documentParameters: 'Document parameters'};
	view.place.append(h('h1', null, text(id)), h('p', {dir: 'auto'}, t.description || ''),
		readOnly() ? '' : h('div', {class: 'actions'}, h('a', {class: 'button primary', href: link('/create', {template: arn})}, 'Create job from this'),
			!managed && h('button', {type: 'button', class: 'danger', onclick: () => ask({
				title: `Delete the template ${id}?`, danger: true, label: 'Delete template', effect: 'Jobs created from it are not changed. This cannot be undone.',
				command: () => ['delete-job-template', {jobTemplateId: id}],
				act: async () => {
					await api.call('DELETE', path`/job-templates/${id}`);
					location.hash = '#/templates';
				},
			})}, 'Delete…')),
		h('section', {class: 'card'}, pairs([['ARN', text(arn)], ['Created', t.createdAt && time(t.createdAt)], ['Document source', t.documentSource && text(t.documentSource)], ['Version', t.templateVersion]]),
			t.document && [h('h2', null, 'Document'), json(t.document)],
			Object.entries(parts).filter(([k]) => t[k] && Object.keys(t[k]).length).map(([k, name]) => [h('h3', null, name), json(t[k])])),
		cli(managed ? 'describe-managed-job-template' : 'describe-job-template', managed ? {templateName: id} : {jobTemplateId: id}));
}

export async function newTemplate(view) {
	view.place.append(h('h1', null, 'Create template'));
	if (readOnly()) {
		view.place.append(h('p', {class: 'notice'}, 'Your access key is read-only: it cannot create templates.'));
		return;
	}
	const jobArn = view.query.get('job') || '';
	const id = input({required: true, pattern: '[a-zA-Z0-9_\\-]{1,64}'});
	const description = input({required: true, dir: 'auto', spellcheck: 'true'});
	const written = documentField(view);
	const settings = settingsForm();
	const members = () => ({description: description.value, ...(jobArn ? {jobArn} : {document: written.control.value, ...settings.read()})});
	const problem = h('div', {role: 'alert'});
	const line = h('div', null);
	const drawLine = () => replace(line, copyable(awsLine(location.origin, 'create-job-template', {jobTemplateId: id.value || 'TEMPLATE', ...members()})));
	drawLine();
	view.place.append(h('form', {oninput: drawLine, onchange: drawLine, onsubmit: async (event) => {
		event.preventDefault();
		try {
			await api.call('PUT', path`/job-templates/${id.value}`, undefined, members());
			location.hash = '#/templates/' + seg(id.value);
		} catch (error) {
			replace(problem, h('p', {class: 'notice bad'}, error.message));
		}
	}},
	h('fieldset', null, h('legend', null, 'Template'), field('Template ID', id), field('Description', description)),
	jobArn ? h('p', null, 'Document and settings are those of ', text(jobArn), '.') : [h('fieldset', null, h('legend', null, 'Job document'), written.node), settings.node],
	problem, h('button', {class: 'primary'}, 'Create template'), h('h2', null, 'The same with the AWS CLI'), line));
}
