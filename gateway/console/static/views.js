// The views by their addresses: pattern, title, view.

import {jobs} from './jobs.js';
import {job, execution} from './job.js';
import {create} from './create.js';
import {templates, template, newTemplate} from './templates.js';
import {things, thing, groups, group} from './fleet.js';
import {feed} from './feed.js';

export const routes = [
	[/^\/jobs$/, 'Jobs', jobs],
	[/^\/jobs\/([^/]+)$/, 'Job', job],
	[/^\/jobs\/([^/]+)\/(executions|failures|document|settings)$/, 'Job', job],
	[/^\/create$/, 'Create job', create],
	[/^\/templates$/, 'Templates', templates],
	[/^\/templates-new$/, 'Create template', newTemplate],
	[/^\/templates\/([^/]+)$/, 'Template', template],
	[/^\/templates\/managed\/([^/]+)$/, 'Managed template', (view) => template(view, true)],
	[/^\/things$/, 'Things', things],
	[/^\/things\/([^/]+)$/, 'Thing', thing],
	[/^\/things\/([^/]+)\/jobs\/([^/]+)\/(\d+)$/, 'Execution', execution],
	[/^\/groups$/, 'Groups', groups],
	[/^\/groups\/([^/]+)$/, 'Group', group],
	[/^\/feed$/, 'Live feed', feed],
];
