// AWS's published signing test suite, which the presigner's tests use too.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {authorize, canonicalRequest, sha256, signingKey, stamp} from '../static/sigv4.js';

const suite = new URL('../../../presigner/testdata/aws-signing-test-suite/v4/', import.meta.url);

// The page never sends paths that SigV4 would normalize: the browser has normalized them before.
const normalized = /^get-(relative|relative-relative|slash-dot-slash|slash|slash-pointless-dot|slashes)-normalized$/;

function parse(text) {
	const [head, ...body] = text.replace(/\r\n/g, '\n').split('\n\n');
	const [first, ...lines] = head.split('\n');
	const [, method, target] = /^(\S+) (.*) HTTP\/1\.1$/.exec(first);
	const [path, query = ''] = target.split('?');
	const headers = [];
	for (const line of lines.filter((l) => l !== '')) {
		if (/^\s/.test(line)) {
			headers.at(-1)[1] += ' ' + line.trim();
			continue;
		}
		const at = line.indexOf(':');
		headers.push([line.slice(0, at), line.slice(at + 1)]);
	}
	return {method, path, query, headers, body: body.join('\n\n')};
}

let run = 0;
for (const name of fs.readdirSync(suite)) {
	if (normalized.test(name)) continue;
	test(name, async () => {
		const read = (file) => fs.readFileSync(new URL(`${name}/${file}`, suite), 'utf8');
		const context = JSON.parse(read('context.json'));
		const request = parse(read('request.txt'));
		const date = stamp(new Date(context.timestamp));
		request.headers.push(['X-Amz-Date', date]);
		if (context.credentials.token && !context.omit_session_token) {
			request.headers.push(['X-Amz-Security-Token', context.credentials.token]);
		}
		const hash = await sha256(request.body);
		if (context.sign_body) request.headers.push(['x-amz-content-sha256', hash]);
		assert.equal(canonicalRequest(request, hash).text, read('header-canonical-request.txt').replace(/\r\n/g, '\n'));
		const day = date.slice(0, 8);
		const key = await signingKey(context.credentials.secret_access_key, day, context.region, context.service);
		assert.equal(key.extractable, false);
		const got = await authorize(request, key, {accessKeyId: context.credentials.access_key_id, day, region: context.region, service: context.service});
		assert.ok(got.endsWith('Signature=' + read('header-signature.txt').trim()), got);
	});
	run++;
}

test('the whole suite ran', () => assert.equal(run, 32));
