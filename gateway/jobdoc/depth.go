package jobdoc

import "bytes"

// maxDepth bounds how many JSON strings within each other are looked into. AWS's
// answers have two; each more doubles the backslashes.
const maxDepth = 8

// depths finds in how many JSON strings a place of a document stands: 0 outside any
// string, 1 in a string, 2 in a string of a document that is itself a string, and so
// on. A string's text counts as a document if it begins and ends as a JSON object or
// array does.
//
// Places must be asked in rising order: what was read is not read again, so that all
// questions about a document together cost at most maxDepth readings of it.
type depths struct {
	doc    []byte
	levels [maxDepth]level
}

// level is how far the text of one depth was read: the string last found in it.
type level struct {
	read       int // up to here, the end of the last string included
	open       int // where the last string's opening quote begins
	start, end int // the text of the last string, without its quotes
	document   bool
}

func (d *depths) reset(doc []byte) {
	d.doc = doc
	d.levels[0] = level{}
}

// at returns the depth of an offset, maxDepth+1 if it is deeper than is looked into.
func (d *depths) at(place int) int {
	for depth := range d.levels {
		l := &d.levels[depth]
		for l.end <= place {
			if !d.advance(depth) {
				return depth
			}
		}
		if place < l.start {
			return depth
		}
		if !l.document {
			return depth + 1
		}
	}
	return maxDepth + 1
}

// advance finds the next string in the text of a depth.
func (d *depths) advance(depth int) bool {
	l := &d.levels[depth]
	r := reader{doc: d.doc, pos: l.read}
	for {
		// Fast path: only quotes and backslashes can make a quote at any depth.
		r.pos = skipPlain(d.doc, r.pos, depth == 0)
		l.open = r.pos
		u := r.next(depth)
		if u == unitEnd {
			l.start, l.end = len(d.doc)+1, len(d.doc)+1 // no place lies behind
			return false
		}
		if u == '"' {
			break
		}
	}
	l.start = r.pos
	l.end, l.document = textEnd(&r, depth+1)
	l.read = r.pos
	if depth+1 < maxDepth {
		d.levels[depth+1] = level{read: l.start}
	}
	return true
}

func skipPlain(doc []byte, pos int, quoteOnly bool) int {
	if quoteOnly {
		if i := bytes.IndexByte(doc[pos:], '"'); i >= 0 {
			return pos + i
		}
		return len(doc)
	}
	for pos < len(doc) && doc[pos] != '"' && doc[pos] != '\\' {
		pos++
	}
	return pos
}

// textEnd reads the text of a string to its closing quote, which it consumes. It
// returns the text's end, and whether the text looks like a JSON document.
func textEnd(r *reader, depth int) (end int, document bool) {
	var first, last rune
	for {
		// Fast path: what no escape or quote interrupts.
		end = skipPlain(r.doc, r.pos, false)
		if run := bytes.TrimSpace(r.doc[r.pos:end]); len(run) > 0 {
			last = rune(run[len(run)-1])
			if first == 0 {
				first = rune(run[0])
			}
		}
		r.pos = end
		u := r.next(depth)
		if u == unitEnd {
			document = first == '{' && last == '}' || first == '[' && last == ']'
			return end, document
		}
		if u <= ' ' {
			continue
		}
		if last = u; first == 0 {
			first = u
		}
	}
}

var byteOrderMark = []byte("\uFEFF")

// looksLikeJSON says whether doc begins as a JSON document with strings in it does.
// A placeholder alone, YAML, a shell script and most other text do not.
func looksLikeJSON(doc []byte) bool {
	for _, c := range bytes.TrimPrefix(doc, byteOrderMark) {
		switch c {
		case ' ', '\n', '\r', '\t':
			continue
		}
		return c == '{' || c == '[' || c == '"'
	}
	return false
}
