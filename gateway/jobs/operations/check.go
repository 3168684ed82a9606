package operations

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

// Problem is a reason why CreateJob would refuse a document, with its position.
type Problem struct {
	Line, Column int // from 1, columns in characters; 0 if there is no position
	Message      string
}

// CheckDocument returns the problems of a job document, in the order of position; none if CreateJob would accept it. roleARN
// is the signing role; with "" the role and its permissions are not checked. Nothing is signed or stored.
func (s *Service) CheckDocument(document, roleARN string) ([]Problem, error) {
	options, ok := s.roles.DocumentOptions(roleARN)
	if !ok {
		return nil, jobs.Errorf(jobs.ErrInvalidRequest, "The role %s is not one that this gateway may assume; see roles in its configuration.", roleARN)
	}
	options.JSONString = true
	if options.Signatures != nil {
		options.Signatures = unmade{options.Signatures}
	}
	problems := []Problem{}
	if len(document) > MaxInlineDocument {
		over := jobs.Errorf(jobs.ErrInvalidRequest, "The job document has %d bytes, the limit is %d.", len(document), MaxInlineDocument)
		problems = append(problems, Problem{Message: over.Message})
	}
	syntax, broken := syntaxProblem([]byte(document))
	_, err := jobdoc.Parse([]byte(document), &options)
	var wrong *jobdoc.Error
	found := errors.As(err, &wrong)
	if broken && (!found || syntax.before(wrong)) {
		problems, broken = append(problems, syntax), false
	}
	if found {
		problems = append(problems, Problem{wrong.Line, wrong.Column, wrong.Text()})
	}
	if broken {
		problems = append(problems, syntax)
	}
	return problems, nil
}

// before reports whether a problem comes before another fault.
func (p Problem) before(e *jobdoc.Error) bool {
	return e.Line != 0 && (p.Line < e.Line || (p.Line == e.Line && p.Column < e.Column))
}

// syntaxProblem returns where a document stops being valid JSON.
func syntaxProblem(document []byte) (Problem, bool) {
	var syntax *json.SyntaxError
	var any json.RawMessage
	if err := json.Unmarshal(document, &any); !errors.As(err, &syntax) {
		return Problem{}, false
	}
	at := int(syntax.Offset)
	cut := json.NewDecoder(bytes.NewReader(document)).Decode(&any)
	if at > 0 && !errors.Is(cut, io.ErrUnexpectedEOF) && !errors.Is(cut, io.EOF) {
		at-- // the offset is after the invalid character, or at the end of a truncated document
	}
	line, column := jobdoc.Position(document, at)
	return Problem{line, column, "The job document is not valid JSON: " + syntax.Error() + "."}, true
}

// unmade treats missing signatures as made, because CreateJob makes them.
type unmade struct{ kept jobdoc.CodeSignatures }

// CodeSignature implements jobdoc.CodeSignatures.
func (u unmade) CodeSignature(f jobdoc.CodeFile) (jobdoc.CodeSignature, error) {
	signature, err := u.kept.CodeSignature(f)
	if errors.Is(err, jobdoc.ErrNotSigned) {
		return jobdoc.CodeSignature{Algorithm: "SHA256withECDSA", Value: []byte{0}}, nil
	}
	return signature, err
}
