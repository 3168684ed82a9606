// The AWS CLI command of a request, to copy into a shell.

const plain = /^[A-Za-z0-9_@%+=:,./-]+$/;

// quote quotes a word for a POSIX shell.
export const quote = (word) => (plain.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'");

const option = (name) => '--' + name.replace(/[A-Z]/g, (c) => '-' + c.toLowerCase());

// awsLine returns the command, with the operation's members as flags. False, empty and undefined members are omitted.
export function awsLine(origin, command, members) {
	const words = ['aws', '--endpoint-url', quote(origin), 'iot', command];
	for (const [name, value] of Object.entries(members || {})) {
		if (value === undefined || value === null || value === '' || value === false) continue;
		words.push(option(name));
		if (value === true) continue;
		if (Array.isArray(value) && value.every((v) => typeof v === 'string')) words.push(...value.map(quote));
		else words.push(quote(typeof value === 'object' ? JSON.stringify(value) : String(value)));
	}
	return words.join(' ');
}
