// The form of the settings that jobs and job templates share: URLs, rollout, abort, time-outs, retries.

import {h} from './dom.js';
import {field, input, select} from './ui.js';

const number = (props) => input({type: 'number', step: 'any', ...props});
const group = (legend, ...children) => h('fieldset', null, h('legend', null, legend), children);

// settingsForm returns {node, read}: read returns the non-empty members of the request. given has the initial values.
export function settingsForm(given = {}) {
	const presign = given.presignedUrlConfig || {};
	const rollout = given.jobExecutionsRolloutConfig || {};
	const exponential = rollout.exponentialRate || {};
	const criteria = exponential.rateIncreaseCriteria || {};
	const abort = given.abortConfig?.criteriaList?.[0] || {};
	const retries = Object.fromEntries((given.jobExecutionsRetryConfig?.criteriaList || []).map((c) => [c.failureType, c.numberOfRetries]));
	const c = {
		role: input({value: presign.roleArn || '', placeholder: 'arn:aws:iam::123456789012:role/download'}),
		expires: number({min: 60, max: 3600, value: presign.expiresInSec || ''}),
		maximum: number({min: 1, max: 1000, value: rollout.maximumPerMinute || ''}),
		base: number({min: 1, max: 1000, value: exponential.baseRatePerMinute || ''}),
		factor: number({min: 1.1, max: 5, value: exponential.incrementFactor || ''}),
		by: select([['numberOfNotifiedThings', 'things notified'], ['numberOfSucceededThings', 'things succeeded']], criteria.numberOfSucceededThings ? 'numberOfSucceededThings' : 'numberOfNotifiedThings'),
		every: number({min: 1, value: criteria.numberOfSucceededThings || criteria.numberOfNotifiedThings || ''}),
		abortOn: select([['', 'Never'], ['FAILED', 'Failed'], ['REJECTED', 'Rejected'], ['TIMED_OUT', 'Timed out'], ['ALL', 'Any of these']], abort.failureType || ''),
		percent: number({min: 0, max: 100, value: abort.thresholdPercentage ?? ''}),
		least: number({min: 1, value: abort.minNumberOfExecutedThings ?? ''}),
		timeout: number({min: 1, max: 10080, value: given.timeoutConfig?.inProgressTimeoutInMinutes || ''}),
		retryFailed: number({min: 0, max: 10, value: retries.FAILED ?? retries.ALL ?? ''}),
		retryTimedOut: number({min: 0, max: 10, value: retries.TIMED_OUT ?? retries.ALL ?? ''}),
	};
	const value = (control) => (control.value === '' ? undefined : Number(control.value));
	const read = () => {
		const members = {};
		if (c.role.value || c.expires.value) members.presignedUrlConfig = {roleArn: c.role.value.trim() || undefined, expiresInSec: value(c.expires)};
		if (c.base.value) {
			members.jobExecutionsRolloutConfig = {maximumPerMinute: value(c.maximum), exponentialRate: {
				baseRatePerMinute: value(c.base), incrementFactor: value(c.factor), rateIncreaseCriteria: {[c.by.value]: value(c.every)}}};
		} else if (c.maximum.value) members.jobExecutionsRolloutConfig = {maximumPerMinute: value(c.maximum)};
		if (c.abortOn.value) {
			members.abortConfig = {criteriaList: [{failureType: c.abortOn.value, action: 'CANCEL', thresholdPercentage: value(c.percent), minNumberOfExecutedThings: value(c.least)}]};
		}
		if (c.timeout.value) members.timeoutConfig = {inProgressTimeoutInMinutes: value(c.timeout)};
		const list = [['FAILED', value(c.retryFailed)], ['TIMED_OUT', value(c.retryTimedOut)]].filter(([, n]) => n !== undefined)
			.map(([failureType, numberOfRetries]) => ({failureType, numberOfRetries}));
		if (list.length) members.jobExecutionsRetryConfig = {criteriaList: list};
		return members;
	};
	const node = h('div', null,
		group('Presigned URLs', h('div', {class: 'grid'}, field('Role ARN', c.role, 'The role that signs; it must be under roles in the configuration'), field('Expires after (seconds)', c.expires, '60 to 3600; empty: 3600'))),
		group('Rollout', h('div', {class: 'grid'}, field('Maximum per minute', c.maximum, '1 to 1000; empty: no limit'), field('Base rate per minute', c.base, 'For a rate that increases'),
			field('Multiply by', c.factor, '1.1 to 5'), field('After each', c.every), field('of', c.by))),
		group('Abort', h('div', {class: 'grid'}, field('Cancel the job when executions are', c.abortOn), field('Threshold (%)', c.percent), field('Once this many have ended', c.least))),
		group('Time-outs and retries', h('div', {class: 'grid'}, field('In progress for at most (minutes)', c.timeout, '1 to 10080; empty: no limit'),
			field('Retries after a failure', c.retryFailed, '0 to 10'), field('Retries after a time-out', c.retryTimedOut, '0 to 10'))));
	return {node, read};
}
