// Building the page. Data enter it only as text nodes and attributes, never as HTML.

const properties = new Set(['value', 'checked', 'disabled', 'selected', 'open', 'hidden', 'className', 'htmlFor', 'required', 'readOnly']);

// h creates an element. Properties that begin with "on" are listeners; children are nodes, text, arrays or nothing.
export function h(tag, props, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(props || {})) {
		if (value === undefined || value === null || value === false) continue;
		if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
		else if (properties.has(name)) node[name] = value;
		else node.setAttribute(name, value === true ? '' : value);
	}
	append(node, children);
	return node;
}

function append(node, children) {
	for (const child of children) {
		if (child === undefined || child === null || child === false) continue;
		if (Array.isArray(child)) append(node, child);
		else node.append(child instanceof Node ? child : String(child));
	}
}

// replace replaces node's children.
export function replace(node, ...children) {
	node.replaceChildren();
	append(node, children);
	return node;
}

// svg creates an SVG element, like h.
export function svg(tag, attributes, ...children) {
	const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
	append(node, children);
	return node;
}

// text returns a node for a user's string, shown in its own direction.
export const text = (value) => h('bdi', {dir: 'auto'}, value ?? '');

// announce tells a screen reader what has changed.
export function announce(message) {
	document.getElementById('status').textContent = message;
}

// link returns the address of a view with its filters; empty ones are omitted.
export function link(path, query) {
	const search = new URLSearchParams(Object.entries(query || {}).filter(([, v]) => v !== '' && v !== undefined && v !== null));
	const tail = search.toString();
	return '#' + path + (tail ? '?' + tail : '');
}

// seg encodes a segment of a view's path.
export const seg = (part) => encodeURIComponent(part);
