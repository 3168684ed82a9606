package operations_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// signing returns signatures, and records the requests of a creation.
type signing struct {
	answer error
	asked  int
	wait   time.Duration // how long the creation would wait at most
}

func (s *signing) CodeSignature(jobdoc.CodeFile) (jobdoc.CodeSignature, error) {
	s.asked++
	return jobdoc.CodeSignature{Size: 9, Value: []byte("signature"), Algorithm: "SHA256withECDSA"}, s.answer
}

// Signatures are made before a job or a template is stored. If one is not ready yet, the answer is a 503 and nothing is
// stored.
func TestSignaturesAtCreation(t *testing.T) {
	f := newFixture(t)
	made := &signing{}
	var err error
	f.Service, err = operations.New(operations.Config{
		Store: f.store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}, Roles: roles{},
		Signatures: func(ctx context.Context) jobdoc.CodeSignatures {
			if at, ok := ctx.Deadline(); ok {
				made.wait = time.Until(at)
			}
			return made
		},
	})
	f.ok(err)
	f.things("g", "a")
	document := func(r *jobs.CreateJobRequest) {
		r.Document = `{"sig":"${aws:iot:code-sign-signature:s3://us-east-1.firmware/v7.bin@1}"}`
	}
	made.answer = fmt.Errorf("%w: it is being made", jobdoc.ErrNotSigned)
	f.is(f.tryCreate("j", document), jobs.ErrUnavailable, "it is being made; try again.")
	_, err = f.DescribeJob(bg, f.now, "j")
	f.is(err, jobs.ErrNotFound, "")
	if made.asked != 1 || made.wait <= 0 || made.wait > operations.SignTimeout || operations.SignTimeout != 20*time.Second {
		t.Errorf("asked %d times, would wait %v", made.asked, made.wait)
	}
	made.answer = errors.New("no profile allows it")
	f.is(f.tryCreate("j", document), jobs.ErrInvalidRequest, "no profile allows it")
	_, err = f.CreateTemplate(bg, f.now, jobs.CreateTemplateRequest{ID: "t", Description: "d", Document: `["${aws:iot:code-sign-signature:s3://us-east-1.firmware/v7.bin@1}"]`})
	f.is(err, jobs.ErrInvalidRequest, "no profile allows it")
	made.answer = nil
	f.ok(f.tryCreate("j", document))

	// Devices get the signatures of DocumentOptions. There are none here, so the answer is a 503.
	asked := made.asked
	_, _, err = f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "j", Document: true})
	f.is(err, jobs.ErrUnavailable, "")
	if made.asked != asked {
		t.Error("a device caused a signature")
	}
}

// The value of a document parameter cannot name a code file.
func TestNoSignaturesInParameters(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	for _, kind := range []string{"code-sign-signature", "code-sign-signature-value"} {
		f.is(f.tryCreate("j", func(r *jobs.CreateJobRequest) {
			r.Document, r.TemplateARN = "", "arn:aws:iot:us-east-1::jobtemplate/AWS-Download-File:1.0"
			r.DocumentParameters = map[string]string{"downloadUrl": "${aws:iot:" + kind + ":s3://us-east-1.firmware/v7.bin@1}", "filePath": "/tmp/x"}
		}), jobs.ErrInvalidRequest, "document parameter cannot hold a code-sign placeholder")
	}
}
