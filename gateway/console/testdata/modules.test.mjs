import test from 'node:test';
import assert from 'node:assert/strict';
import {awsLine, quote} from '../static/cli.js';
import {path, readStream} from '../static/api.js';
import {Series} from '../static/ui.js';
import {Ring} from '../static/feed.js';
import {link} from '../static/dom.js';
import {Sampler} from '../static/live.js';

test('a quoted word stays one word in the shell', () => {
	assert.equal(quote('update-1'), 'update-1');
	assert.equal(quote("a'b $(x)"), `'a'\\''b $(x)'`);
	assert.equal(quote(''), "''");
});

test('the CLI line contains only the members given', () => {
	assert.equal(awsLine('http://127.0.0.1:8082', 'cancel-job', {jobId: 'j', force: true, comment: '', reasonCode: undefined}),
		'aws --endpoint-url http://127.0.0.1:8082 iot cancel-job --job-id j --force');
	assert.match(awsLine('https://h', 'create-job', {targets: ['a:b', 'c d'], abortConfig: {criteriaList: []}}), /--targets a:b 'c d' --abort-config '\{"criteriaList":\[\]\}'$/);
});

test('names are encoded in paths and links', () => {
	assert.equal(path`/things/${'a:b'}/jobs/${'x/y'}`, '/things/a%3Ab/jobs/x%2Fy');
	assert.equal(link('/jobs', {status: '', group: 'a b'}), '#/jobs?group=a+b');
});

test('a series stays within its limit and keeps its first and last points', () => {
	const series = new Series(100);
	for (let i = 0; i < 100000; i++) series.add(i, {QUEUED: i});
	assert.ok(series.points.length <= 100);
	assert.equal(series.points[0].at, 0);
	assert.equal(series.points.at(-1).at, 99999);
	series.add(5, {});
	assert.equal(series.points.at(-1).at, 99999);
});

test('the feed keeps the newest events and counts all', () => {
	const ring = new Ring(3);
	for (let i = 0; i < 10; i++) ring.add({jobId: 'j', n: i, missed: i === 5 ? 7 : undefined});
	assert.deepEqual(ring.newest().map((e) => e.n), [9, 8, 7]);
	assert.deepEqual([ring.total, ring.missed], [10, 7]);
});

test('events are read whole wherever the stream is split', async () => {
	const bytes = new TextEncoder().encode(': jobgate\n\nevent: job.progress\ndata: {"jobId":"ü1"}\n\n:\n\ndata: {"jobId":"2"}\n\n');
	for (let cut = 1; cut < bytes.length; cut++) {
		const got = [];
		await readStream(new Blob([bytes]).stream().pipeThrough(new TransformStream({
			transform(chunk, out) {
				for (let i = 0; i < chunk.length; i += cut) out.enqueue(chunk.slice(i, i + cut));
			},
		})), (e) => got.push(e.jobId));
		assert.deepEqual(got, ['ü1', '2']);
	}
});

test('ten thousand events a second are drawn once per period', (t) => {
	t.mock.timers.enable({apis: ['setTimeout']});
	let now = 0;
	let drawn = 0;
	const sampler = new Sampler(1000, () => drawn++, () => now);
	for (let ms = 0; ms < 5000; ms++) {
		for (let i = 0; i < 10; i++) sampler.touch();
		now++;
		t.mock.timers.tick(1);
	}
	assert.ok(drawn >= 4 && drawn <= 6, `drawn ${drawn} times in five seconds`);
});
