package jobdoc

import "bytes"

// expand resolves the placeholders nested in a placeholder's URL. It returns the URL
// without its local placeholders, whose positions are in w.s3; the text is valid until
// the next placeholder.
func (w *walker) expand(k kind, url []byte) ([]byte, *Error) {
	w.s3.marks = w.s3.marksArray[:0]
	i := bytes.Index(url, dollarBrace)
	if i < 0 {
		return url, nil // fast path: nothing is nested
	}
	w.text = w.text[:0]
	for ; i >= 0; i = bytes.Index(url, dollarBrace) {
		w.text = append(w.text, url[:i]...)
		from := i + len(dollarBrace)
		end, ok := closing(url, from, true)
		if !ok {
			return nil, documentError(textNotTerminated)
		}
		if err := w.nested(k, url[from:end]); err != nil {
			return nil, err
		}
		url = url[end+1:]
	}
	w.text = append(w.text, url...)
	return w.text, nil
}

// nested resolves one placeholder within a URL, given without "${" and "}".
func (w *walker) nested(k kind, inner []byte) *Error {
	if l, ok := localNamed(inner); ok {
		return w.nestedLocal(k, l)
	}
	body, ok := bytes.CutPrefix(inner, marker[len(dollarBrace):])
	if !ok {
		return undefined(k, inner)
	}
	inside, rest := classify(body)
	switch inside {
	case kindParameter:
		return w.nestedParameter(rest)
	case kindPackage:
		return packageError(rest, true, false)
	case kindDownload, kindDownloadEncoded, kindUpload:
		name, _, _ := bytes.Cut(body, colon)
		return documentError(textSecondLayer, "iot:"+string(name))
	}
	if inside == kindCodeSign || inside == kindCodeSignValue {
		return codeSignElsewhere(inside, "another placeholder")
	}
	return w.other(inside, rest)
}

func (w *walker) nestedLocal(k kind, l Local) *Error {
	if w.options.Strict && k != kindUpload {
		return documentError(textLocalElsewhere, l)
	}
	seen := 0
	for _, m := range w.s3.marks {
		if m.name == l {
			seen++
		}
	}
	if seen == maxEach {
		return documentError(textTooManyLocals, "${"+l.String()+"}", maxEach)
	}
	w.s3.marks = append(w.s3.marks, mark{at: len(w.text), name: l})
	return nil
}

// nestedParameter inserts a parameter's value as text, to be parsed as part of the URL.
func (w *walker) nestedParameter(name []byte) *Error {
	value, err := w.options.parameter(name)
	if err != nil {
		return err
	}
	before := len(w.text)
	w.text = append(w.text, value...)
	if bytes.Contains(w.text[before:], dollarBrace) {
		return parameterError("the value of %q holds a placeholder, which cannot be nested", clip(name))
	}
	return nil
}

func undefined(k kind, inner []byte) *Error {
	if k == kindUpload {
		return documentError(textUndefinedUpload, clip(inner))
	}
	e := documentError("Undefined placeholder, ${%s}, inside of presign url parameter", clip(inner))
	e.Detail = "known are ${thingName}, ${jobId} and ${executionNumber}"
	return e
}
