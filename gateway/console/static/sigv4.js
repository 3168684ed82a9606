// Signature Version 4 in the Authorization header, with WebCrypto. This module stores no secret.

const encoder = new TextEncoder();
const hmac = {name: 'HMAC', hash: 'SHA-256'};

const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, '0')).join('');

const importKey = (bytes) => crypto.subtle.importKey('raw', bytes, hmac, false, ['sign']);

const mac = (key, text) => crypto.subtle.sign('HMAC', key, encoder.encode(text));

// sha256 returns the hash of a text in hex.
export const sha256 = async (text) => hex(await crypto.subtle.digest('SHA-256', encoder.encode(text)));

// escape percent-encodes all characters except unreserved ones (SigV4, UriEncode).
export const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

// stamp returns a time in the format of x-amz-date: 20150830T123600Z. Its first eight characters are the day.
export const stamp = (date) => date.toISOString().replace(/[-:]|\.\d+/g, '');

// signingKey derives the key of one day, region and service. The key cannot be read back, and is valid for that day only.
export async function signingKey(secret, day, region, service) {
	let key = await importKey(encoder.encode('AWS4' + secret));
	for (const part of [day, region, service, 'aws4_request']) {
		key = await importKey(await mac(key, part));
	}
	return key;
}

// canonicalQuery sorts the parameters of a query by their encoded names, then values.
export function canonicalQuery(query) {
	const pairs = query.split('&').filter((p) => p !== '').map((pair) => {
		const at = pair.indexOf('=');
		const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
		return [escape(decodeURIComponent(name)), escape(decodeURIComponent(value))];
	});
	const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
	pairs.sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]));
	return pairs.map((p) => p.join('=')).join('&');
}

// canonicalRequest is step 1 of SigV4 for services other than S3: the encoded path is encoded again.
export function canonicalRequest(request, payloadHash) {
	const headers = new Map();
	for (const [name, value] of request.headers) {
		const key = name.toLowerCase();
		const tidy = value.trim().replace(/\s+/g, ' ');
		headers.set(key, headers.has(key) ? headers.get(key) + ',' + tidy : tidy);
	}
	const names = [...headers.keys()].sort();
	const signedHeaders = names.join(';');
	return {
		signedHeaders,
		text: [
			request.method,
			request.path.split('/').map(escape).join('/'),
			canonicalQuery(request.query),
			...names.map((n) => n + ':' + headers.get(n)),
			'',
			signedHeaders,
			payloadHash,
		].join('\n'),
	};
}

// authorize returns the Authorization header of a request {method, path, query, headers, body}. headers are pairs,
// including host and x-amz-date; scope is {accessKeyId, day, region, service} of the key.
export async function authorize(request, key, scope) {
	const {signedHeaders, text} = canonicalRequest(request, await sha256(request.body));
	const credential = [scope.day, scope.region, scope.service, 'aws4_request'].join('/');
	const date = request.headers.find(([name]) => name.toLowerCase() === 'x-amz-date')[1];
	const signature = hex(await mac(key, ['AWS4-HMAC-SHA256', date, credential, await sha256(text)].join('\n')));
	return `AWS4-HMAC-SHA256 Credential=${scope.accessKeyId}/${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}
